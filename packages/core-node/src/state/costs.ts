import type { PaymentType } from '@aleph-ts/protocol'
import type pg from 'pg'
import { accountOf, type Candidate } from '../pipeline/candidate.ts'

/** Keeps what messages cost, so that the next balance check counts it. */
export async function insertCosts(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const rows = candidates.flatMap((candidate) =>
    (candidate.costs ?? []).map((cost) => ({
      ...cost,
      owner: accountOf(candidate),
      item_hash: candidate.envelope.item_hash,
    })),
  )
  if (rows.length === 0) return
  await tx.query({
    name: 'insert-costs',
    text: `insert into account_costs (owner, item_hash, type, name, ref, payment_type, cost_hold, cost_stream, cost_credit)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[],
             $8::numeric[], $9::numeric[])
           on conflict (owner, item_hash, type, name) do update set cost_hold = excluded.cost_hold,
             cost_stream = excluded.cost_stream, cost_credit = excluded.cost_credit`,
    values: [
      rows.map((row) => row.owner),
      rows.map((row) => row.item_hash),
      rows.map((row) => row.type),
      rows.map((row) => row.name),
      rows.map((row) => row.ref ?? null),
      rows.map((row) => row.payment_type),
      rows.map((row) => row.cost_hold),
      rows.map((row) => row.cost_stream),
      rows.map((row) => row.cost_credit),
    ],
  })
}

export async function removeCosts(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  await tx.query('delete from account_costs where item_hash = any($1)', [hashes])
}

/** What accounts already owe, by account: ALEPH for hold, per second for the others; decimal text. */
export async function loadCostTotals(
  tx: pg.PoolClient | pg.Pool,
  accounts: string[],
  paymentType: PaymentType,
): Promise<Map<string, string>> {
  const column = { hold: 'cost_hold', superfluid: 'cost_stream', credit: 'cost_credit' }[paymentType]
  const { rows } = await tx.query<{ owner: string; total: string }>(
    `select owner, sum(${column})::text as total from account_costs
     where owner = any($1) and payment_type = $2 group by owner`,
    [accounts, paymentType],
  )
  return new Map(rows.map((row) => [row.owner, row.total]))
}
