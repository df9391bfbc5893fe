import { extractTags } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, hashOf, ownerOf } from '../pipeline/candidate.ts'
import { envelopeColumns } from './envelope-columns.ts'

/**
 * What is known already of messages that are about to be processed.
 *
 * @param fresh those of the hashes of which no copy is known to wait
 * @returns hashes that the state knows, and those of `fresh` of which a copy waits
 */
export async function knownHashes(
  tx: pg.PoolClient,
  hashes: string[],
  fresh: string[],
): Promise<{ settled: Set<string>; waiting: Set<string> }> {
  const { rows } = await tx.query<{ item_hash: string; waits: boolean }>({
    name: 'known-hashes',
    text: `select item_hash, false as waits from messages where item_hash = any($1)
           union all select item_hash, false from forgotten_messages where item_hash = any($1)
           union all select item_hash, false from removed_messages where item_hash = any($1)
           union all select item_hash, true from pending_messages where item_hash = any($2)`,
    values: [hashes, fresh],
  })
  const hashesOf = (waits: boolean) =>
    new Set(rows.filter((row) => row.waits === waits).map((row) => row.item_hash))
  return { settled: hashesOf(false), waiting: hashesOf(true) }
}

const columns = `item_hash, seq, status, type, chain, sender, signature, item_type, item_content, content, time,
  channel, size, reception_time, owner, content_type, content_ref, content_key, content_item_hash, payment_type, tags,
  place, first_confirmed_at, first_confirmed_height, sender_time`

const values = `v.seq, 'processed', p.type, p.chain, p.sender, p.signature, p.item_type, p.item_content, v.content,
  p.time, p.channel, coalesce(v.size, char_length(p.item_content)), p.reception_time, v.owner, v.content_type,
  v.content_ref, v.content_key, v.content_item_hash, v.payment_type,
  case when v.tags is not null then array(select jsonb_array_elements_text(v.tags::jsonb)) end, v.place,
  to_timestamp(v.first_confirmed_at), v.first_confirmed_height, v.sender_time`

const input = `unnest($1::text[], $2::bigint[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::text[], $10::text[], $11::text[], $12::text[], $13::float8[], $14::bigint[], $15::bigint[]`
const inputColumns = `item_hash, seq, content, size, owner, content_type, content_ref, content_key, content_item_hash,
  payment_type, tags, place, first_confirmed_at, first_confirmed_height, sender_time`

/** The text of a message is in the inbox already; it does not travel again. */
const insertPending = `
  insert into messages (${columns})
  select p.item_hash, ${values} from ${input}, $16::bigint[]) as v(${inputColumns}, id)
  join pending_messages p on p.id = v.id`

const insertWhole = `
  insert into messages (${columns})
  select p.item_hash, ${values} from ${input}, $16::text[], $17::text[], $18::text[], $19::text[], $20::text[],
    $21::text[], $22::float8[], $23::text[], $24::timestamptz[]) as p(${inputColumns}, type, chain, sender, signature,
    item_type, item_content, time, channel, reception_time), lateral (select p.*) v`

/** Makes numbered candidates rows of the state: from the inbox, as they came by gossip, or as they were judged before. */
export async function insertMessages(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const stored = candidates.filter((candidate) => candidate.id !== undefined)
  const whole = candidates.filter((candidate) => candidate.id === undefined)
  if (stored.length > 0) {
    const ids = stored.map((candidate) => candidate.id)
    await tx.query({ name: 'insert-messages', text: insertPending, values: [...inputs(stored), ids] })
  }
  if (whole.length > 0) {
    const envelopes = envelopeColumns(whole.map((candidate) => candidate.envelope))
    const receptionTimes = whole.map((candidate) => candidate.receptionTime)
    const values = [...inputs(whole), ...envelopes, receptionTimes]
    await tx.query({ name: 'insert-whole-messages', text: insertWhole, values })
  }
}

function inputs(candidates: Candidate[]): unknown[][] {
  const contents = candidates.map((candidate) => candidate.parsed!.content as Record<string, unknown>)
  return [
    candidates.map(hashOf),
    candidates.map((candidate) => candidate.seq),
    candidates.map((candidate) => candidate.fetchedContent?.text ?? null),
    candidates.map((candidate) => candidate.fetchedContent?.bytes ?? null),
    candidates.map(ownerOf),
    contents.map((content) => textOrNull(content.type)),
    contents.map((content) => textOrNull(content.ref)),
    contents.map((content) => textOrNull(content.key)),
    contents.map((content) => textOrNull(content.item_hash)),
    contents.map((content) => textOrNull((content.payment as { type?: unknown } | null | undefined)?.type)),
    candidates.map(tagsAsJson),
    candidates.map((candidate) => candidate.place),
    candidates.map((candidate) => candidate.confirmed?.time ?? null),
    candidates.map((candidate) => candidate.confirmed?.height ?? null),
    candidates.map((candidate) => Math.round(candidate.parsed!.content.time * 1e6)),
  ]
}

/** Tags by which a message can be found (protocol 02 §1.2), as JSON text, or null without any. */
export function tagsAsJson(candidate: Candidate): string | null {
  const tags = extractTags(candidate.envelope.type, candidate.parsed!.raw)
  return tags.length > 0 ? JSON.stringify(tags) : null
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** Takes messages out of the state, without a trace; they are recorded elsewhere. */
export async function removeMessages(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  await tx.query('delete from messages where item_hash = any($1)', [candidates.map(hashOf)])
}
