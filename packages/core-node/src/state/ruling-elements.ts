import type { NetworkProfile } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, contentOf, hashOf, ownerOf } from '../pipeline/candidate.ts'
import type { Span } from '../pipeline/span.ts'

/** An element of an aggregate by which others are judged. */
export interface RulingElement extends Span {
  item_hash: string
  owner: string
  key: string
  content: Record<string, unknown>
  time: number
}

/** Whether an aggregate decides over other messages: rights, prices, settings. */
export function isRuling(key: string): boolean {
  return key === 'security' || isTariff(key)
}

/** Whether an aggregate, when the network itself publishes it, says what things cost. */
export function isTariff(key: string): boolean {
  return key === 'pricing' || key === 'settings'
}

export async function loadRulingElements(
  tx: pg.PoolClient,
  keys: [owner: string, key: string][],
): Promise<RulingElement[]> {
  if (keys.length === 0) return []
  const { rows } = await tx.query<RulingElement>({
    name: 'load-ruling-elements',
    text: `select e.* from unnest($1::text[], $2::text[]) as t(owner, key)
           join ruling_elements e on e.owner = t.owner and e.key = t.key`,
    values: [keys.map(([owner]) => owner), keys.map(([, key]) => key)],
  })
  return rows
}

/** Remembers new elements; the candidates are in `messages` already. */
export async function insertRulingElements(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const ruling = candidates.filter((candidate) => isRuling(contentOf(candidate, 'AGGREGATE').key))
  if (ruling.length === 0) return
  const contents = ruling.map((candidate) => contentOf(candidate, 'AGGREGATE'))
  await tx.query(
    `insert into ruling_elements (item_hash, owner, key, content, time, place)
     select item_hash, owner, key, content::jsonb, time, place
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[])
       as t(item_hash, owner, key, content, time, place)
     on conflict (item_hash) do update set place = excluded.place, until = null`,
    [
      ruling.map(hashOf),
      ruling.map(ownerOf),
      contents.map((content) => content.key),
      contents.map((content) => JSON.stringify(content.content)),
      contents.map((content) => content.time),
      ruling.map((candidate) => candidate.place),
    ],
  )
}

/** Names under which the network's own prices are kept. */
export function isTariffOwner(owner: string, profile: NetworkProfile): boolean {
  return owner === profile.addresses.settings
}
