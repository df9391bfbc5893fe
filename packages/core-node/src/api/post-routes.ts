import { apiRoutes, type postFilterSchema } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Kysely, type SqlBool, sql } from 'kysely'
import type { z } from 'zod'
import type { Database } from '../database/schema.ts'
import { queryError } from './api-error.ts'
import { sendJsonList } from './json-list.ts'
import { confirmedAt, isOneOf } from './message-filter.ts'
import { confirmationFields, isoTime } from './message-shape.ts'
import { pageInPath } from './page-in-path.ts'
import { beyond, cursorPlace, pageOf } from './query.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

type PostQuery = z.output<typeof postFilterSchema>

interface PostRow {
  item_hash: string
  body: string
  created: number
  last_updated: number
}

/** The message of an original post `o`. */
const original = sql`join messages m on m.item_hash = o.item_hash`
/** The message of its newest version. */
const newest = sql`join messages v on v.item_hash = coalesce(o.latest_amend, o.item_hash)`

const content = sql`coalesce(v.content, v.item_content)::json -> 'content'`

/** The 20 keys of old clients (protocol 03 §6). */
const v0Body = sql<string>`json_build_object(
  'item_hash', v.item_hash, 'content', ${content}, 'item_type', v.item_type, 'item_content', v.item_content,
  'signature', v.signature, 'size', v.size, 'time', v.time,
  'type', case when o.latest_amend is null then o.type else 'amend' end,
  'original_item_hash', o.item_hash, 'hash', o.item_hash, 'original_signature', m.signature,
  'original_type', o.type, 'chain', m.chain, 'channel', o.channel, 'ref', o.ref, 'address', o.owner,
  'sender', o.owner, ${confirmationFields('v')})::text`

const v1Body = sql<string>`json_build_object(
  'item_hash', v.item_hash, 'content', ${content}, 'original_item_hash', o.item_hash, 'original_type', o.type,
  'address', o.owner, 'ref', o.ref, 'channel', o.channel)::text`

/** Posts merged with their newest amends (protocol 03 §6). */
export function postRoutes({ replica: { db }, totals }: ApiContext) {
  async function list(version: 'v0' | 'v1', query: PostQuery, reply: FastifyReply): Promise<FastifyReply> {
    if (query.startDate > 0 && query.endDate > 0 && query.endDate < query.startDate) {
      throw queryError('endDate', 'end date cannot be lower than start date')
    }
    if (query.cursor && query.sortBy === 'tx-time') throw queryError('cursor', 'cursors need sortBy=time')
    const page = pageOf(query)
    const direction = query.sortOrder === 'desc' ? sql`desc` : sql`asc`
    const order =
      query.sortBy === 'tx-time'
        ? sql`${confirmedAt} ${direction}, m.time ${direction}, o.created ${direction}, o.item_hash asc`
        : sql`o.last_updated ${direction}, o.item_hash asc`
    const rest = page.after
      ? sql`and ${beyond('o.last_updated', 'o.item_hash', query.sortOrder, cursorPlace(page.after))}`
      : sql``
    const matching = conditions(query)
    // The page is chosen before anything is joined to it.
    const { rows } = await sql<PostRow>`
      with o as materialized (
        select o.* from posts o ${query.sortBy === 'tx-time' ? original : sql``}
        where ${matching} ${rest} order by ${order} limit ${page.limit} offset ${page.offset})
      select o.item_hash, ${version === 'v0' ? v0Body : v1Body} as body, o.created, o.last_updated
      from o ${original} ${newest} order by ${order}`.execute(db)
    const last = rows.at(-1)
    return sendJsonList(reply, {
      name: 'posts',
      items: rows.map((row) => (version === 'v0' ? row.body : withTimes(row))),
      page,
      query,
      total: () => totals.of(sql`from posts o where ${matching}`),
      place: last && { t: last.last_updated, h: last.item_hash },
    })
  }

  return async (server: FastifyInstance): Promise<void> => {
    const { listPosts, listPostsV0, listPostsByPage, listPostsV0ByPage } = apiRoutes
    const withPage = (query: PostQuery, page: string) => ({ ...query, page: pageInPath(page) })
    serve(server, listPosts, ({ query, reply }) => list('v1', query, reply))
    serve(server, listPostsV0, ({ query, reply }) => list('v0', query, reply))
    serve(server, listPostsByPage, ({ params, query, reply }) =>
      list('v1', withPage(query, params.page), reply),
    )
    serve(server, listPostsV0ByPage, ({ params, query, reply }) =>
      list('v0', withPage(query, params.page), reply),
    )
  }
}

/** One post as the newer list has it, by the hash of its original; undefined when it is none. */
export async function loadPost(db: Kysely<Database>, hash: string): Promise<string | undefined> {
  const { rows } = await sql<PostRow>`
    select o.item_hash, ${v1Body} as body, o.created, o.last_updated from posts o ${original} ${newest}
    where o.amends is null
      and o.item_hash = (select coalesce(p.amends, p.item_hash) from posts p where p.item_hash = ${hash})`.execute(
    db,
  )
  return rows[0] && withTimes(rows[0])
}

function withTimes({ body, created, last_updated }: PostRow): string {
  const times = { created: isoTime(created, '+00:00'), last_updated: isoTime(last_updated, '+00:00') }
  return `${body.slice(0, -1)},${JSON.stringify(times).slice(1)}`
}

function conditions(query: PostQuery) {
  const parts = [sql<SqlBool>`o.amends is null`]
  const columns = {
    owner: query.addresses,
    item_hash: query.hashes,
    ref: query.refs,
    type: query.types ?? query.postTypes,
    channel: query.channels,
  }
  for (const [column, values] of Object.entries(columns)) {
    if (values) parts.push(isOneOf(`o.${column}`, values))
  }
  if (query.tags) parts.push(sql<SqlBool>`o.shown_tags && ${query.tags}::text[]`)
  if (query.startDate) parts.push(sql<SqlBool>`o.last_updated >= ${query.startDate}`)
  if (query.endDate) parts.push(sql<SqlBool>`o.last_updated < ${query.endDate}`)
  return sql.join(parts, sql` and `)
}
