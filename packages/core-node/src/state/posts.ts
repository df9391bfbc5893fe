import type pg from 'pg'
import { type Candidate, contentOf, hashOf, ownerOf } from '../pipeline/candidate.ts'
import { tagsAsJson } from './messages.ts'

const insert = `
  insert into posts (item_hash, owner, type, ref, amends, channel, created, last_updated, tags, shown_tags)
  select v.item_hash, v.owner, v.type, v.ref, v.amends, v.channel, v.created, v.created, t.tags,
    case when v.amends is null then t.tags end
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::text[])
    as v(item_hash, owner, type, ref, amends, channel, created, tags),
    lateral (select case when v.tags is not null
      then array(select jsonb_array_elements_text(v.tags::jsonb)) end as tags) t`

/** Adds posts and amends (protocol 02 §8). */
export async function insertPosts(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const contents = candidates.map((candidate) => contentOf(candidate, 'POST'))
  const amended = contents.map(amendedPost)
  await tx.query({
    name: 'insert-posts',
    text: insert,
    values: [
      candidates.map((candidate) => candidate.envelope.item_hash),
      candidates.map(ownerOf),
      contents.map((content) => content.type),
      contents.map((content) => content.ref ?? null),
      amended,
      candidates.map((candidate) => candidate.envelope.channel),
      contents.map((content) => content.time),
      candidates.map(tagsAsJson),
    ],
  })
  // An original that comes back may find its amends here already.
  const returned = candidates.filter((candidate) => candidate.standing !== undefined)
  await refreshOriginals(tx, [...amended.filter((hash) => hash !== null), ...returned.map(hashOf)])
}

/** Hash of the original that an amend names; null for an original. */
export function amendedPost(content: { type: string; ref?: string | null }): string | null {
  return content.type === 'amend' ? (content.ref ?? null) : null
}

/** Removes posts. */
export async function removePosts(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  const { rows } = await tx.query<{ amends: string | null }>(
    'delete from posts where item_hash = any($1) returning amends',
    [hashes],
  )
  await refreshOriginals(
    tx,
    rows.flatMap((row) => row.amends ?? []),
  )
}

/** The newest amend wins, equal times by hash; an amend that is not newer than its original never shows. */
async function refreshOriginals(tx: pg.PoolClient, originals: string[]): Promise<void> {
  if (originals.length === 0) return
  await tx.query(
    `update posts original
     set latest_amend = newest.item_hash, last_updated = coalesce(newest.created, original.created),
       shown_tags = case when newest.item_hash is null then original.tags else newest.tags end
     from unnest($1::text[]) as wanted(item_hash)
     left join lateral (
       select amend.item_hash, amend.created, amend.tags from posts amend
       where amend.amends = wanted.item_hash
         and amend.created > (select created from posts where item_hash = wanted.item_hash)
       order by amend.created desc, amend.item_hash desc limit 1
     ) newest on true
     where original.item_hash = wanted.item_hash and original.amends is null`,
    [[...new Set(originals)]],
  )
}
