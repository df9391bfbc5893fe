import type pg from 'pg'
import type { Candidate } from './candidate.ts'

/** Keeps what came apart and could have come inline as if it had: nodes that were given different copies agree. */
export async function keepInline(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const inlined = candidates.filter((candidate) => candidate.becameInline)
  if (inlined.length === 0) return
  await tx.query(
    `update pending_messages p set item_type = 'inline', item_content = v.text
     from unnest($1::bigint[], $2::text[]) as v(id, text) where p.id = v.id`,
    [inlined.map(({ id }) => id), inlined.map(({ envelope }) => envelope.item_content)],
  )
}
