import type { FastifyInstance } from 'fastify'
import { type SqlBool, sql } from 'kysely'
import { z } from 'zod'
import type { CoreNodeContext } from '../context.ts'
import { CountCache } from './count-cache.ts'
import { sendJsonList } from './json-list.ts'
import { isoTime } from './message-shape.ts'
import { cursorPlace, hash, list, pageFields, pageOf, parseQuery, seconds, sortOrder, text } from './query.ts'

const schema = z.object({
  ...pageFields(20),
  addresses: list(text),
  hashes: list(hash),
  refs: list(text),
  types: list(text),
  postTypes: list(text),
  tags: list(text),
  channels: list(text),
  startDate: seconds,
  endDate: seconds,
  sortBy: z.enum(['time', 'tx-time']).default('time'),
  sortOrder,
})
type PostQuery = z.output<typeof schema>

interface PostRow {
  item_hash: string
  body: string
  created: number
  last_updated: number
}

/** `o` the original, `v` the message of its newest version, `m` the message of the original. */
const tables = sql`posts o
  join messages v on v.item_hash = coalesce(o.latest_amend, o.item_hash)
  join messages m on m.item_hash = o.item_hash`

const content = sql`coalesce(v.content, v.item_content)::json -> 'content'`

/** The 20 keys of old clients (protocol 03 §6). */
const v0Body = sql<string>`json_build_object(
  'item_hash', v.item_hash, 'content', ${content}, 'item_type', v.item_type, 'item_content', v.item_content,
  'signature', v.signature, 'size', v.size, 'time', v.time,
  'type', case when o.latest_amend is null then o.type else 'amend' end,
  'original_item_hash', o.item_hash, 'hash', o.item_hash, 'original_signature', m.signature,
  'original_type', o.type, 'chain', m.chain, 'channel', o.channel, 'ref', o.ref, 'address', o.owner,
  'sender', o.owner, 'confirmed', false, 'confirmations', '[]'::json)::text`

const v1Body = sql<string>`json_build_object(
  'item_hash', v.item_hash, 'content', ${content}, 'original_item_hash', o.item_hash, 'original_type', o.type,
  'address', o.owner, 'ref', o.ref, 'channel', o.channel)::text`

/** Posts merged with their newest amends (protocol 03 §6). */
export function postRoutes({ db }: CoreNodeContext) {
  const counts = new CountCache()

  async function count(query: PostQuery): Promise<number> {
    const { rows } = await sql<{
      count: bigint
    }>`select count(*) as count from ${tables} where ${conditions(query)}`.execute(db)
    return Number(rows[0]!.count)
  }

  return async (server: FastifyInstance): Promise<void> => {
    for (const version of ['v0', 'v1'] as const) {
      server.get(`/api/${version}/posts.json`, { compress: {} }, async (request, reply) => {
        const query = parseQuery(schema, request.query)
        const page = pageOf(query)
        const direction = query.sortOrder === 'desc' ? sql`desc` : sql`asc`
        const further = query.sortOrder === 'desc' ? sql`<` : sql`>`
        const place = page.after ? cursorPlace(page.after) : undefined
        const beyond = place
          ? sql`and (o.last_updated ${further} ${place.at} or (o.last_updated = ${place.at} and o.item_hash > ${place.id}))`
          : sql``
        const { rows } = await sql<PostRow>`
          select o.item_hash, ${version === 'v0' ? v0Body : v1Body} as body, o.created, o.last_updated
          from ${tables} where ${conditions(query)} ${beyond}
          order by o.last_updated ${direction}, o.item_hash asc limit ${page.limit} offset ${page.offset}`.execute(
          db,
        )
        const last = rows.at(-1)
        return sendJsonList(reply, {
          name: 'posts',
          items: rows.map((row) => (version === 'v0' ? row.body : withTimes(row))),
          page,
          query,
          total: () => counts.get(JSON.stringify({ ...query, page: 0, pagination: 0 }), () => count(query)),
          place: last && { t: last.last_updated, h: last.item_hash },
        })
      })
    }
  }
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
    if (values) parts.push(sql<SqlBool>`${sql.ref(`o.${column}`)} = any(${values})`)
  }
  if (query.tags) parts.push(sql<SqlBool>`v.tags && ${query.tags}::text[]`)
  if (query.startDate) parts.push(sql<SqlBool>`o.last_updated >= ${query.startDate}`)
  if (query.endDate) parts.push(sql<SqlBool>`o.last_updated < ${query.endDate}`)
  return sql.join(parts, sql` and `)
}
