import type pg from 'pg'
import type { Candidate } from '../pipeline/candidate.ts'

export interface Rejection {
  candidate: Candidate
  errorCode: number
  details: unknown
}

/** Keeps refused messages with the reason, so that whoever asks for their hash learns it (protocol 02 §1.1). */
export async function insertRejections(tx: pg.PoolClient | pg.Pool, rejections: Rejection[]): Promise<void> {
  await tx.query(
    `insert into rejected_messages (item_hash, message, error_code, details, reception_time)
     select distinct on (item_hash) item_hash, message::json, error_code, details::json, reception_time
     from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::timestamptz[])
       as t(item_hash, message, error_code, details, reception_time)
     on conflict (item_hash) do update set error_code = excluded.error_code, details = excluded.details`,
    [
      rejections.map(({ candidate }) => candidate.envelope.item_hash),
      rejections.map(({ candidate }) =>
        JSON.stringify({ ...candidate.envelope, content: candidate.parsed?.raw ?? null }),
      ),
      rejections.map((rejection) => rejection.errorCode),
      rejections.map((rejection) => JSON.stringify(rejection.details ?? null)),
      rejections.map(({ candidate }) => candidate.receptionTime),
    ],
  )
}

/** A message that was refused once and is part of the state now is no longer refused. */
export async function removeRejections(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  await tx.query({
    name: 'remove-rejections',
    text: 'delete from rejected_messages where item_hash = any($1)',
    values: [hashes],
  })
}
