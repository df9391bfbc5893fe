import type pg from 'pg'
import { isOtherCopy } from '../state/unsigned-fields.ts'
import type { Candidate } from './candidate.ts'

/**
 * Gives pending messages the unsigned fields of the copy that a chain confirmed first. The channel decides over
 * permissions and over posts of the network's publishers: without this, two nodes that were given different copies
 * would judge differently for ever.
 */
export async function takeConfirmedCopies(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const others = candidates.flatMap((candidate) => {
    const copy = candidate.confirmed?.copy
    return isOtherCopy(candidate.envelope, copy) ? { candidate, copy } : []
  })
  if (others.length === 0) return
  for (const { candidate, copy } of others) candidate.envelope = { ...candidate.envelope, ...copy }
  await tx.query(
    `update pending_messages p set time = v.time, channel = v.channel
     from unnest($1::bigint[], $2::float8[], $3::text[]) as v(id, time, channel) where p.id = v.id`,
    [
      others.map(({ candidate }) => candidate.id),
      others.map(({ copy }) => copy.time),
      others.map(({ copy }) => copy.channel),
    ],
  )
}
