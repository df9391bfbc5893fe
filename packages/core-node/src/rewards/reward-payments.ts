import { distributionPostType } from '@aleph-ts/protocol'
import type pg from 'pg'
import { inTransaction } from '../database/pool.ts'

/** One batch transfer of a day's rewards. */
export interface RewardPayment {
  position: number
  /** Units of 10⁻¹⁸ ALEPH by address. */
  targets: Record<string, string>
  nonce: number | null
  raw_transaction: `0x${string}` | null
  tx_hash: `0x${string}` | null
  paid: boolean
}

/** Recipients of one transaction. */
const mostRecipients = 200

/** The last day that was paid (its first second), by this node's own memory and by its posts; null when none was. */
export async function lastPaidDay(pool: pg.Pool, payer: string): Promise<number | null> {
  const { rows } = await pool.query<{ day: number | null }>(
    `select greatest(
       (select max(day) from reward_days),
       (select max((p.content ->> 'start_time')::float8) from (
         select coalesce(content, item_content)::json -> 'content' as content from messages
         where content_type = $1 and owner = $2
       ) p where p.content ->> 'status' = 'distribution')
     )::float8 as day`,
    [distributionPostType, payer],
  )
  return rows[0]!.day
}

/** Writes down who gets what for a day, unless that is decided; returns what was decided. */
export async function planPayments(
  pool: pg.Pool,
  day: number,
  units: [address: string, units: string][],
): Promise<RewardPayment[]> {
  return inTransaction(pool, async (tx) => {
    const { rowCount } = await tx.query('select from reward_payments where day = $1 limit 1', [day])
    for (let start = 0; rowCount === 0 && start < units.length; start += mostRecipients) {
      const targets = Object.fromEntries(units.slice(start, start + mostRecipients))
      await tx.query('insert into reward_payments (day, position, targets) values ($1, $2, $3)', [
        day,
        start / mostRecipients,
        JSON.stringify(targets),
      ])
    }
    return loadPayments(tx, day)
  })
}

export async function loadPayments(db: pg.Pool | pg.PoolClient, day: number): Promise<RewardPayment[]> {
  const { rows } = await db.query<Omit<RewardPayment, 'nonce'> & { nonce: bigint | null }>(
    `select position, targets, nonce, raw_transaction, tx_hash, paid from reward_payments
     where day = $1 order by position`,
    [day],
  )
  return rows.map((row) => ({ ...row, nonce: row.nonce === null ? null : Number(row.nonce) }))
}

/** Keeps a signed transaction before it is sent; null takes one back that was put on chain and failed. */
export async function saveTransaction(
  pool: pg.Pool,
  day: number,
  position: number,
  transaction: { nonce: number; raw: string; hash: string } | null,
): Promise<void> {
  await pool.query(
    `update reward_payments set nonce = $3, raw_transaction = $4, tx_hash = $5
     where day = $1 and position = $2`,
    [day, position, transaction?.nonce ?? null, transaction?.raw ?? null, transaction?.hash ?? null],
  )
}

export async function markPaid(pool: pg.Pool, day: number, position: number): Promise<void> {
  await pool.query('update reward_payments set paid = true where day = $1 and position = $2', [day, position])
}

export async function finishDay(pool: pg.Pool, day: number, itemHash: string | null): Promise<void> {
  await pool.query('insert into reward_days (day, item_hash) values ($1, $2) on conflict do nothing', [
    day,
    itemHash,
  ])
}
