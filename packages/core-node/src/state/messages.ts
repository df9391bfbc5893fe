import { extractTags } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, ownerOf } from '../pipeline/candidate.ts'

/** What the state already knows about a hash that waits to be processed. */
export async function settledHashes(tx: pg.PoolClient, hashes: string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ item_hash: string }>({
    name: 'settled-hashes',
    text: `select item_hash from messages where item_hash = any($1)
           union all select item_hash from forgotten_messages where item_hash = any($1)`,
    values: [hashes],
  })
  return new Set(rows.map((row) => row.item_hash))
}

const insert = `
  insert into messages (item_hash, seq, status, type, chain, sender, signature, item_type, item_content, content, time,
    channel, size, reception_time, owner, content_type, content_ref, content_key, content_item_hash, payment_type, tags)
  select p.item_hash, v.seq, 'processed', p.type, p.chain, p.sender, p.signature, p.item_type, p.item_content, v.content,
    p.time, p.channel, coalesce(v.size, char_length(p.item_content)), p.reception_time, v.owner, v.content_type,
    v.content_ref, v.content_key, v.content_item_hash, v.payment_type,
    case when v.tags is not null then array(select jsonb_array_elements_text(v.tags::jsonb)) end
  from unnest($1::bigint[], $2::bigint[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[])
    as v(id, seq, content, size, owner, content_type, content_ref, content_key, content_item_hash, payment_type, tags)
  join pending_messages p on p.id = v.id`

/** Moves candidates from the inbox into the state, numbering them from `firstSeq` on in their order. */
export async function insertMessages(
  tx: pg.PoolClient,
  candidates: Candidate[],
  firstSeq: bigint,
): Promise<void> {
  for (const [index, candidate] of candidates.entries()) candidate.seq = firstSeq + BigInt(index)
  const contents = candidates.map((candidate) => candidate.parsed!.content as Record<string, unknown>)
  await tx.query({
    name: 'insert-messages',
    text: insert,
    values: [
      candidates.map((candidate) => candidate.id),
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
    ],
  })
}

/** Tags by which a message can be found (protocol 02 §1.2), as JSON text, or null without any. */
export function tagsAsJson(candidate: Candidate): string | null {
  const tags = extractTags(candidate.envelope.type, candidate.parsed!.raw)
  return tags.length > 0 ? JSON.stringify(tags) : null
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
