import { endOfOrder, type Place } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, hashOf } from '../pipeline/candidate.ts'

/** Something that stands under a name is another from a place of the order on. */
export interface Change {
  name: string
  place: Place
  /** Position of the message that changed it in the group that was judged. */
  index: number
}

/** Remembers what the verdicts of candidates depend on, instead of what earlier ones did. */
export async function replaceLookups(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const again = candidates.filter((candidate) => candidate.standing !== undefined)
  if (again.length > 0) await removeLookups(tx, again.map(hashOf))
  const rows = candidates.flatMap((candidate) =>
    [...(candidate.lookups ?? [])].map(([name, when]) => ({
      name,
      place: when === 'ever' ? endOfOrder : candidate.place!,
      itemHash: hashOf(candidate),
    })),
  )
  if (rows.length === 0) return
  await tx.query({
    name: 'insert-lookups',
    text: `insert into lookups (name, place, item_hash) select * from unnest($1::text[], $2::text[], $3::text[])
           on conflict do nothing`,
    values: [rows.map((row) => row.name), rows.map((row) => row.place), rows.map((row) => row.itemHash)],
  })
}

export async function removeLookups(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  await tx.query('delete from lookups where item_hash = any($1)', [hashes])
}

/** Messages whose verdict depends on what changed, with the position of the last message that changed it. */
export async function dependents(tx: pg.PoolClient, changes: Change[]): Promise<Map<string, number>> {
  if (changes.length === 0) return new Map()
  const { rows } = await tx.query<{ item_hash: string; index: number }>({
    name: 'load-dependents',
    text: `select l.item_hash, max(c.index) as index
           from unnest($1::text[], $2::text[], $3::int[]) as c(name, place, index)
           join lookups l on l.name = c.name and l.place > c.place group by l.item_hash`,
    values: [
      changes.map((change) => change.name),
      changes.map((change) => change.place),
      changes.map((change) => change.index),
    ],
  })
  return new Map(rows.map((row) => [row.item_hash, row.index]))
}
