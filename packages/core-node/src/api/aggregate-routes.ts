import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { z } from 'zod'
import type { CoreNodeContext } from '../context.ts'
import { ApiError } from './api-error.ts'
import { CountCache } from './count-cache.ts'
import { sendJsonList } from './json-list.ts'
import { isoTime } from './message-shape.ts'
import { cursorPlace, flag, integer, list, pageFields, pageOf, parseQuery, sortOrder, text } from './query.ts'

const ownerSchema = z.object({
  keys: list(text),
  limit: integer(0).optional(),
  withInfo: flag,
  valueOnly: flag,
})
const listSchema = z.object({
  ...pageFields(20),
  keys: list(text),
  addresses: list(text),
  sortBy: z.enum(['last_modified', 'creation_time']).default('last_modified'),
  sortOrder,
})

/** The key-value store (protocol 03 §7). */
export function aggregateRoutes({ db }: CoreNodeContext) {
  const counts = new CountCache()

  return async (server: FastifyInstance): Promise<void> => {
    server.get<{ Params: { address: string } }>(
      '/api/v0/aggregates/:address.json',
      async (request, reply) => {
        const query = parseQuery(ownerSchema, request.query)
        const { address } = request.params
        let rows = db.selectFrom('aggregates').where('owner', '=', address.replaceAll('\0', ''))
        if (query.keys) rows = rows.where('key', 'in', query.keys)
        const found = await rows
          .select(['key', 'created', 'last_updated', 'first_hash', 'last_revision_hash'])
          .select(sql<string>`content::text`.as('content'))
          .orderBy('key')
          .execute()
        if (found.length === 0) {
          throw new ApiError(404, 'aggregate_not_found', 'No aggregate found for this address')
        }
        reply.type('application/json; charset=utf-8')
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
      },
    )

    for (const path of ['/api/v0/aggregates', '/api/v0/aggregates.json']) {
      server.get(path, async (request, reply) => {
        const query = parseQuery(listSchema, request.query)
        const page = pageOf({ ...query, pagination: Math.min(query.pagination || 500, 500) })
        const column = query.sortBy === 'creation_time' ? 'created' : 'last_updated'
        let all = db.selectFrom('aggregates')
        if (query.keys) all = all.where('key', 'in', query.keys)
        if (query.addresses) all = all.where('owner', 'in', query.addresses)
        let rows = all
        if (page.after) {
          const { at, id } = cursorPlace(page.after)
          const further = query.sortOrder === 'desc' ? sql`<` : sql`>`
          rows = rows.where(
            sql<boolean>`${sql.ref(column)} ${further} ${at} or (${sql.ref(column)} = ${at} and key || ' ' || owner > ${id})`,
          )
        }
        const found = await rows
          .select(['owner', 'key', 'created', 'last_updated'])
          .select(sql<string>`content::text`.as('content'))
          .orderBy(column, query.sortOrder)
          .orderBy(sql`key || ' ' || owner`)
          .limit(page.limit)
          .offset(page.offset)
          .execute()
        const last = found.at(-1)
        return sendJsonList(reply, {
          name: 'aggregates',
          items: found.map(({ owner, key, content, created, last_updated }) => {
            const times = {
              created: isoTime(created, '+00:00'),
              last_updated: isoTime(last_updated, '+00:00'),
            }
            const head = JSON.stringify({ address: owner, key, ...times })
            return `${head.slice(0, -1)},"content":${content}}`
          }),
          page,
          query,
          total: () =>
            counts.get(JSON.stringify([query.keys, query.addresses]), async () => {
              const { count } = await all
                .select((eb) => eb.fn.countAll<bigint>().as('count'))
                .executeTakeFirstOrThrow()
              return Number(count)
            }),
          place: last && { t: last[column], h: `${last.key} ${last.owner}` },
        })
      })
    }
  }
}
