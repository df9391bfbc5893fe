import {
  balancesPostType,
  type NetworkProfile,
  type RegistryEvent,
  type RegistryPost,
  readRegistryPost,
} from '@aleph-ts/protocol'
import type { Queryable } from '../chains/queryable.ts'
import type { BlockRange } from './token-moves.ts'

/** A post that was meant for the registry and has no effect on it. */
export interface IgnoredPost {
  itemHash: string
  /** Who acts by it: `content.address`. */
  address: string
  /** What it wanted, as it says itself; null when it does not. */
  action: string | null
  ref: string | null
  /** `content.time`, epoch seconds. */
  time: number
  /** Block of its first confirmation; null without one. */
  height: number | null
  reason: string
  /** One line for people. */
  detail: string
}

/** A registry post with what it says, or why it says nothing. */
export interface ReadPost {
  post: RegistryPost
  confirmed: boolean
  outcome: RegistryEvent | Pick<IgnoredPost, 'reason' | 'detail'>
}

interface PostRow {
  item_hash: string
  sender: string
  owner: string
  content_type: string
  content_ref: string | null
  height: bigint | null
  content: string
}

const columns = `m.item_hash, m.sender, m.owner, m.content_type, m.content_ref, coalesce(m.content, m.item_content) as content`

/** Operations, amends of nodes, and scores. The list of types must be that of the index `messages_registry`. */
const registryPosts = `
  messages m where m.type = 'POST' and m.content_type in ('corechan-operation', 'aleph-scoring-scores', 'amend')
  and (m.content_type <> 'amend' or exists (
    select from messages o where o.item_hash = m.content_ref and o.content_type = 'corechan-operation'))`

/** Unconfirmed posts beyond this many, the youngest of them, wait until others are confirmed. */
const mostUnconfirmed = 20_000

/** Registry posts that were first confirmed in a range of blocks. */
export async function loadConfirmedPosts(
  db: Queryable,
  profile: NetworkProfile,
  range: BlockRange,
): Promise<ReadPost[]> {
  const { rows } = await db.query<PostRow>(
    `select ${columns}, m.first_confirmed_height as height from ${registryPosts}
     and m.first_confirmed_height > $1 and m.first_confirmed_height <= $2
     order by m.first_confirmed_height, m.sender_time, m.item_hash`,
    [range.after, range.upTo],
  )
  return rows.map((row) => readRow(row, profile, Number(row.height)))
}

/** Registry posts that no chain has confirmed, as if the block `head` did. */
export async function loadUnconfirmedPosts(
  db: Queryable,
  profile: NetworkProfile,
  head: number,
): Promise<ReadPost[]> {
  const { rows } = await db.query<PostRow>(
    `select ${columns}, null as height from ${registryPosts} and m.first_confirmed_height is null
     order by m.sender_time, m.item_hash limit ${mostUnconfirmed}`,
  )
  return rows.map((row) => readRow(row, profile, head))
}

/**
 * Posts that report the balances of platforms, by the blocks at which they take effect: the one that a report names, or
 * a higher one that an earlier report named (protocol 06 §2.2). What nobody believes is at the block that it names.
 */
export async function loadBalancePosts(
  db: Queryable,
  profile: NetworkProfile,
  range: BlockRange,
): Promise<ReadPost[]> {
  const { balancePlatforms } = profile.registry
  if (balancePlatforms.length === 0) return []
  const believed = profile.addresses.balances.map((address) => address.toLowerCase())
  const { rows } = await db.query<PostRow>(
    `with first as (
       select distinct on (platform) platform, sender_time, item_hash from balance_post_heights
       where platform = any($1) and lower(sender) = any($2) and height > $3
       order by platform, sender_time, item_hash
     ), reports as (
       select b.item_hash, b.sender_time,
         max(b.height) over (partition by b.platform order by b.sender_time, b.item_hash) as height
       from first f join balance_post_heights b
         on b.platform = f.platform and (b.sender_time, b.item_hash) >= (f.sender_time, f.item_hash)
       where lower(b.sender) = any($2)
       union all
       select item_hash, sender_time, height from balance_post_heights
       where platform = any($1) and lower(sender) <> all($2) and height > $3
     )
     select ${columns}, r.height from reports r join messages m on m.item_hash = r.item_hash
     where r.height <= $4 order by r.height, r.sender_time, r.item_hash`,
    [balancePlatforms, believed, range.after, range.upTo],
  )
  return rows.map((row) => readRow({ ...row, content_type: balancesPostType }, profile, Number(row.height)))
}

/** The block up to which at most `limit` registry posts are, whole blocks only; the end of the range when they are fewer. */
export async function endOfPosts(db: Queryable, range: BlockRange, limit: number): Promise<number> {
  const { rows } = await db.query<{ height: bigint }>(
    `select m.first_confirmed_height as height from ${registryPosts}
     and m.first_confirmed_height > $1 and m.first_confirmed_height <= $2
     order by m.first_confirmed_height offset $3 limit 1`,
    [range.after, range.upTo, limit - 1],
  )
  return rows[0] ? Number(rows[0].height) : range.upTo
}

function readRow(row: PostRow, profile: NetworkProfile, height: number): ReadPost {
  const { time, content } = JSON.parse(row.content) as { time: number; content: unknown }
  const post = {
    itemHash: row.item_hash,
    sender: row.sender,
    address: row.owner,
    type: row.content_type,
    ref: row.content_ref,
    time,
    height,
    content,
  }
  return { post, confirmed: row.height !== null, outcome: readRegistryPost(post, profile) }
}
