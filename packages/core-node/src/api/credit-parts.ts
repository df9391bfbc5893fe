import type pg from 'pg'
import { isoTime } from './message-shape.ts'

/** What an account has left with one expiration. */
export type CreditPartAnswer = {
  /** ISO 8601, or null: it never expires. */
  expiration_date: string | null
  amount: number
}

/** Credits that an account can spend now: those that never expire first, then by date (protocol 03 §10.1). */
export async function creditParts(pool: pg.Pool, account: string): Promise<CreditPartAnswer[]> {
  const { rows } = await pool.query<{ expiration_date: bigint | null; amount: string }>(
    `select expiration_date, sum(amount_remaining)::text as amount from credit_lots
     where address = $1 and amount_remaining > 0 and (expiration_date is null or expiration_date > $2)
     group by expiration_date order by expiration_date nulls first`,
    [account, Date.now()],
  )
  return rows.map((row) => ({
    expiration_date: row.expiration_date === null ? null : isoTime(Number(row.expiration_date) / 1000, 'Z'),
    amount: Number(row.amount),
  }))
}

/** Credits that messages have cost so far; those that cost none are absent. */
export async function consumedCredits(pool: pg.Pool, hashes: string[]): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ resource: string; consumed: string }>(
    `select coalesce(nullif(origin, ''), origin_ref) as resource, sum(abs(amount))::text as consumed from credit_history
     where payment_method = 'credit_expense' and coalesce(nullif(origin, ''), origin_ref) = any($1) group by 1`,
    [hashes],
  )
  return new Map(rows.map((row) => [row.resource, Number(row.consumed)]))
}
