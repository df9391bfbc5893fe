import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { type SqlBool, sql } from 'kysely'
import { ApiError } from './api-error.ts'
import { sendJsonList } from './json-list.ts'
import { isOneOf } from './message-filter.ts'
import { isoTime } from './message-shape.ts'
import { cursorPlace, cursorTexts, pageOf } from './query.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

interface AggregateRow {
  owner: string
  key: string
  /** JSON text. */
  content: string
  created: number
  last_updated: number
}

/** An aggregate as lists and events tell it, as JSON text. */
export function aggregateJson({ owner, key, content, created, last_updated }: AggregateRow): string {
  const times = { created: isoTime(created, '+00:00'), last_updated: isoTime(last_updated, '+00:00') }
  return `${JSON.stringify({ address: owner, key, ...times }).slice(0, -1)},"content":${content}}`
}

/** The key-value store (protocol 03 §7). */
export function aggregateRoutes({ db, replica, totals }: ApiContext) {
  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getAggregates, async ({ params: { address }, query, reply }) => {
      let rows = db.selectFrom('aggregates').where('owner', '=', address)
      if (query.keys) rows = rows.where('key', 'in', query.keys)
      const found = await rows
        .select(['key', 'created', 'last_updated', 'first_hash', 'last_revision_hash'])
        .select(sql<string>`content::text`.as('content'))
        .orderBy('key')
        .execute()
      if (found.length === 0) {
        throw new ApiError(404, 'aggregate_not_found', 'No aggregate found for this address')
      }
      reply.header('cache-control', 'no-cache')
      if (query.valueOnly && query.keys?.length === 1) return found[0]!.content
      const info = query.withInfo
        ? Object.fromEntries(
            found.map((row) => [
              row.key,
              {
                created: isoTime(row.created, '+00:00'),
                last_updated: isoTime(row.last_updated, '+00:00'),
                original_item_hash: row.first_hash,
                last_update_item_hash: row.last_revision_hash,
              },
            ]),
          )
        : {}
      const data = found.map((row) => `${JSON.stringify(row.key)}:${row.content}`).join(',')
      return `{"address":${JSON.stringify(address)},"data":{${data}},"info":${JSON.stringify(info)}}`
    })

    serve(server, apiRoutes.listAggregates, async ({ query, reply }) => {
      const page = pageOf(query)
      const column = query.sortBy === 'creation_time' ? 'created' : 'last_updated'
      const conditions = [sql<SqlBool>`true`]
      if (query.keys) conditions.push(isOneOf('key', query.keys))
      if (query.addresses) conditions.push(isOneOf('owner', query.addresses))
      const matching = sql<SqlBool>`${sql.join(conditions, sql` and `)}`
      let rows = replica.db.selectFrom('aggregates').where(matching)
      if (page.after) {
        const further = query.sortOrder === 'desc' ? sql`<` : sql`>`
        const { at, id: key } = cursorPlace({ t: page.after.t, h: page.after.k })
        const [owner] = cursorTexts(page.after, ['o'])
        rows = rows.where(sql<SqlBool>`${sql.ref(column)} ${further}= ${at}
          and (${sql.ref(column)} ${further} ${at} or (key, owner) > (${key}, ${owner}))`)
      }
      const found = await rows
        .select(['owner', 'key', 'created', 'last_updated'])
        .select(sql<string>`content::text`.as('content'))
        .orderBy(column, query.sortOrder)
        .orderBy('key')
        .orderBy('owner')
        .limit(page.limit)
        .offset(page.offset)
        .execute()
      const last = found.at(-1)
      return sendJsonList(reply, {
        name: 'aggregates',
        items: found.map(aggregateJson),
        page,
        query,
        total: () => totals.of(sql`from aggregates where ${matching}`),
        place: last && { t: last[column], k: last.key, o: last.owner },
      })
    })
  }
}
