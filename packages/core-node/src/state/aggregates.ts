import type pg from 'pg'
import { type Candidate, contentOf } from '../pipeline/candidate.ts'

const insertElements = `
  insert into aggregate_elements (item_hash, owner, key, content, time)
  select m.item_hash, m.owner, v.key, coalesce(m.content, m.item_content)::jsonb -> 'content', v.time
  from unnest($1::text[], $2::text[], $3::float8[]) as v(item_hash, key, time)
  join messages m on m.item_hash = v.item_hash`

/**
 * An aggregate is the shallow merge of its elements in the order of (time, hash) (protocol 02 §9.1). When all new
 * elements come after the last one they are merged on top, else the aggregate is merged anew from all of them.
 */
const mergeElements = `
  with touched as (
    select n.owner, n.key,
      coalesce(bool_and((n.time, n.item_hash) > (a.last_updated, a.last_revision_hash)), false) as append
    from aggregate_elements n left join aggregates a on a.owner = n.owner and a.key = n.key
    where n.item_hash = any($1) group by n.owner, n.key
  ), sources as (
    select e.* from touched t join aggregate_elements e on e.owner = t.owner and e.key = t.key
    where t.append and e.item_hash = any($1)
    union all
    select e.* from touched t join aggregate_elements e on e.owner = t.owner and e.key = t.key where not t.append
  ), fields as (
    select distinct on (s.owner, s.key, f.key) s.owner, s.key, f.key as field, f.value
    from sources s, jsonb_each(s.content) f
    order by s.owner, s.key, f.key, s.time desc, s.item_hash desc
  ), contents as (
    select owner, key, jsonb_object_agg(field, value) as content from fields group by owner, key
  ), spans as (
    select owner, key, min(time) as created, max(time) as last_updated,
      (array_agg(item_hash order by time, item_hash))[1] as first_hash,
      (array_agg(item_hash order by time desc, item_hash desc))[1] as last_revision_hash
    from sources group by owner, key
  )
  insert into aggregates (owner, key, content, created, last_updated, first_hash, last_revision_hash)
  select s.owner, s.key,
    case when t.append then a.content else '{}' end || coalesce(c.content, '{}'),
    case when t.append then a.created else s.created end, s.last_updated,
    case when t.append then a.first_hash else s.first_hash end, s.last_revision_hash
  from spans s
  join touched t on t.owner = s.owner and t.key = s.key
  left join contents c on c.owner = s.owner and c.key = s.key
  left join aggregates a on a.owner = s.owner and a.key = s.key
  on conflict (owner, key) do update set content = excluded.content, created = excluded.created,
    last_updated = excluded.last_updated, first_hash = excluded.first_hash,
    last_revision_hash = excluded.last_revision_hash`

/** Adds elements and brings their aggregates up to date; the candidates are in `messages` already. */
export async function insertAggregateElements(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const hashes = candidates.map((candidate) => candidate.envelope.item_hash)
  await tx.query({
    name: 'insert-aggregate-elements',
    text: insertElements,
    values: [
      hashes,
      candidates.map((candidate) => contentOf(candidate, 'AGGREGATE').key),
      candidates.map((candidate) => contentOf(candidate, 'AGGREGATE').time),
    ],
  })
  await tx.query({ name: 'merge-aggregate-elements', text: mergeElements, values: [hashes] })
}

/** Removes elements and merges what is left; an aggregate without elements disappears. */
export async function removeAggregateElements(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  const { rows } = await tx.query<{ owner: string; key: string }>(
    'delete from aggregate_elements where item_hash = any($1) returning owner, key',
    [hashes],
  )
  const owners = rows.map((row) => row.owner)
  const keys = rows.map((row) => row.key)
  await tx.query(
    'delete from aggregates a using unnest($1::text[], $2::text[]) as t(owner, key) where a.owner = t.owner and a.key = t.key',
    [owners, keys],
  )
  const { rows: left } = await tx.query<{ item_hash: string }>(
    `select distinct on (e.owner, e.key) e.item_hash from aggregate_elements e
     join unnest($1::text[], $2::text[]) as t(owner, key) on e.owner = t.owner and e.key = t.key`,
    [owners, keys],
  )
  // With the aggregate gone, one element of each is enough to have all of them merged.
  await tx.query({
    name: 'merge-aggregate-elements',
    text: mergeElements,
    values: [left.map((row) => row.item_hash)],
  })
}

/** Contents of one key for many owners, by owner, exact case. */
export async function loadAggregates(
  tx: pg.PoolClient | pg.Pool,
  key: string,
  owners: string[],
): Promise<Map<string, Record<string, unknown>>> {
  const { rows } = await tx.query<{ owner: string; content: Record<string, unknown> }>({
    name: 'load-aggregates',
    text: 'select owner, content from aggregates where key = $1 and owner = any($2)',
    values: [key, owners],
  })
  return new Map(rows.map((row) => [row.owner, row.content]))
}
