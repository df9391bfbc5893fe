import type { Envelope } from '@aleph-ts/protocol'
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
    `insert into rejected_messages (item_hash, message, error_code, details, reception_time, place, seq, content, file_size, file_type)
     select distinct on (item_hash) item_hash, message::json, error_code, details::json, reception_time, place, seq,
       content, file_size, file_type
     from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[], $8::text[],
       $9::bigint[], $10::text[])
       as t(item_hash, message, error_code, details, reception_time, place, seq, content, file_size, file_type)
     on conflict (item_hash) do update set message = excluded.message, error_code = excluded.error_code,
       details = excluded.details, place = excluded.place, content = excluded.content, file_size = excluded.file_size,
       file_type = excluded.file_type,
       seq = coalesce(rejected_messages.seq, excluded.seq),
       reception_time = least(rejected_messages.reception_time, excluded.reception_time)`,
    [
      rejections.map(({ candidate }) => candidate.envelope.item_hash),
      rejections.map(({ candidate }) =>
        JSON.stringify({ ...candidate.envelope, content: candidate.parsed?.raw ?? null }),
      ),
      rejections.map((rejection) => rejection.errorCode),
      rejections.map((rejection) => JSON.stringify(rejection.details ?? null)),
      rejections.map(({ candidate }) => candidate.receptionTime),
      rejections.map(({ candidate }) => candidate.place ?? null),
      rejections.map(({ candidate }) => candidate.seq ?? null),
      rejections.map(({ candidate }) => candidate.fetchedContent?.text ?? null),
      rejections.map(({ candidate }) => candidate.fileSize ?? null),
      rejections.map(({ candidate }) => candidate.fileType ?? null),
    ],
  )
}

/** A message that was refused once and is part of the state now is no longer refused. */
export async function removeRejections(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  await tx.query({
    name: 'remove-rejections',
    text: `with gone as (delete from rejected_messages where item_hash = any($1) returning item_hash)
           delete from lookups l using gone where l.item_hash = gone.item_hash`,
    values: [hashes],
  })
}

/** A message refused for what it would cost, by the size that its file claimed. */
export interface Unfetched {
  /** With its content, parsed. */
  message: Envelope & { content: unknown }
  /** Bytes. */
  claimedSize: number
}

/** Those of the hashes that were refused with one of some errors before they were judged. */
export async function loadUnfetched(
  tx: pg.PoolClient,
  hashes: string[],
  errorCodes: number[],
): Promise<Unfetched[]> {
  const { rows } = await tx.query<{ message: Unfetched['message']; file_size: bigint }>(
    `select message, file_size from rejected_messages
     where item_hash = any($1) and error_code = any($2) and place is null and file_size is not null`,
    [hashes, errorCodes],
  )
  return rows.map((row) => ({ message: row.message, claimedSize: Number(row.file_size) }))
}

/**
 * Puts refused messages back into the inbox, for the fetch stage.
 *
 * @returns how many wait there now
 */
export async function readmit(tx: pg.PoolClient, hashes: string[]): Promise<number> {
  const { rowCount } = await tx.query(
    `insert into pending_messages (item_hash, type, chain, sender, signature, item_type, item_content, time, channel,
       reception_time, origin, fetched, next_attempt)
     select r.item_hash, m.type, m.chain, m.sender, m.signature, m.item_type, m.item_content, m.time, m.channel,
       r.reception_time, 'catch-up', false, $2
     from rejected_messages r, json_to_record(r.message) as m(type text, chain text, sender text, signature text,
       item_type text, item_content text, time float8, channel text)
     where r.item_hash = any($1)
     on conflict do nothing`,
    [hashes, new Date()],
  )
  await removeRejections(tx, hashes)
  return rowCount ?? 0
}
