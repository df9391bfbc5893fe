import type { Chain, Envelope, ItemType, MessageType } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Candidate } from '../pipeline/candidate.ts'

/** Failures are kept in this order of growth: 1, 2, 4 … 300 seconds, each cut short at random (protocol 02 §5.1). */
const longestDelaySeconds = 300

export interface Retry {
  candidate: Candidate
  errorCode: number
  details: unknown
  waitsFor?: string[]
  /** Back to the fetch stage. */
  refetch: boolean
}

/** The moment of the next attempt after `retries` failures before this one. */
export function nextAttempt(retries: number, now = Date.now()): Date {
  return new Date(now + Math.random() * Math.min(2 ** retries, longestDelaySeconds) * 1000)
}

/** Ids of messages that are due, the oldest first. */
export async function claimDue(
  pool: pg.Pool,
  options: { fetched: boolean; limit: number; exclude?: bigint[] },
): Promise<{ id: bigint; retries: number; receptionTime: Date; origin: string }[]> {
  const { rows } = await pool.query<{ id: bigint; retries: number; reception_time: Date; origin: string }>({
    name: 'claim-due',
    text: `select id, retries, reception_time, origin from pending_messages
           where fetched = $1 and next_attempt <= $2 and not (id = any($4))
           order by next_attempt, id limit $3`,
    values: [options.fetched, new Date(), options.limit, options.exclude ?? []],
  })
  return rows.map(({ reception_time: receptionTime, ...row }) => ({ ...row, receptionTime }))
}

/** Milliseconds until the next message of a stage is due, or undefined when none waits. */
export async function untilNextDue(
  pool: pg.Pool,
  options: { fetched: boolean },
): Promise<number | undefined> {
  const { rows } = await pool.query<{ due: Date | null }>({
    name: 'next-due',
    text: 'select min(next_attempt) as due from pending_messages where fetched = $1',
    values: [options.fetched],
  })
  const due = rows[0]?.due
  return due ? Math.max(0, due.getTime() - Date.now()) : undefined
}

export async function loadEnvelopes(pool: pg.Pool, ids: bigint[]): Promise<Map<bigint, Envelope>> {
  const { rows } = await pool.query<
    Envelope & { id: bigint; chain: Chain; type: MessageType; item_type: ItemType }
  >({
    name: 'load-envelopes',
    text: `select id, item_hash, type, chain, sender, signature, item_type, item_content, time, channel
           from pending_messages where id = any($1)`,
    values: [ids],
  })
  return new Map(rows.map(({ id, ...envelope }) => [id, envelope]))
}

export async function removePending(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const ids = candidates.flatMap((candidate) => candidate.id ?? [])
  if (ids.length === 0) return
  await tx.query({
    name: 'remove-pending',
    text: 'delete from pending_messages where id = any($1)',
    values: [ids],
  })
}

/** Remembers why messages failed and when they are tried again. */
export async function postpone(
  tx: pg.PoolClient | pg.Pool,
  retries: (Retry & { at: Date })[],
): Promise<void> {
  await tx.query(
    `update pending_messages p
     set retries = p.retries + 1, next_attempt = v.next_attempt, error_code = v.error_code,
       error_details = v.details::json, fetched = p.fetched and not v.refetch,
       waits_for = case when v.waits_for is not null then array(select jsonb_array_elements_text(v.waits_for::jsonb)) end
     from unnest($1::bigint[], $2::timestamptz[], $3::int[], $4::text[], $5::bool[], $6::text[])
       as v(id, next_attempt, error_code, details, refetch, waits_for)
     where p.id = v.id`,
    [
      retries.map((retry) => retry.candidate.id!),
      retries.map((retry) => retry.at),
      retries.map((retry) => retry.errorCode),
      retries.map((retry) => JSON.stringify(retry.details ?? null)),
      retries.map((retry) => retry.refetch),
      retries.map((retry) => (retry.waitsFor ? JSON.stringify(retry.waitsFor) : null)),
    ],
  )
}

/** Puts off the next attempt without counting a failure. */
export async function delay(pool: pg.Pool, ids: bigint[], until: Date): Promise<void> {
  await pool.query('update pending_messages set next_attempt = $2 where id = any($1)', [ids, until])
}

/** Marks messages whose content and file are here: the process stage takes them over with fresh retries. */
export async function markFetched(pool: pg.Pool, id: bigint): Promise<void> {
  await pool.query(
    `update pending_messages set fetched = true, retries = 0, next_attempt = $2, error_code = null, error_details = null
     where id = $1`,
    [id, new Date()],
  )
}

/** Lets messages go on whose last missing hash is among `arrived`. */
export async function wakeWaiting(tx: pg.PoolClient | pg.Pool, arrived: string[]): Promise<void> {
  await tx.query(
    `update pending_messages p
     set waits_for = w.missing, next_attempt = case when cardinality(w.missing) = 0 then $2 else p.next_attempt end
     from (
       select id, array(select unnest(waits_for) except select unnest($1::text[])) as missing
       from pending_messages where waits_for && $1::text[]
     ) w
     where p.id = w.id`,
    [arrived, new Date()],
  )
}

/** Every hash that some pending message waits for. */
export async function loadWaitedFor(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ hash: string }>(
    'select distinct unnest(waits_for) as hash from pending_messages where waits_for is not null',
  )
  return rows.map((row) => row.hash)
}
