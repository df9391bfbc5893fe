import { isItemHash } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { z } from 'zod'
import type { CoreNodeContext } from '../context.ts'
import { ApiError, QueryError } from './api-error.ts'
import { CountCache } from './count-cache.ts'
import { sendJsonList } from './json-list.ts'
import { filterFields, formatOf, matchingMessages, messageFilter } from './message-filter.ts'
import { isoTime, messageJson } from './message-shape.ts'
import { describeMessage, findStatus } from './message-status.ts'
import { cursorPlace, flag, pageFields, pageOf, parseQuery, seconds, sortOrder } from './query.ts'

const listSchema = z.object({ ...filterFields, ...pageFields(20) })
const hashesSchema = z.object({
  ...pageFields(20),
  status: z.enum(['processed', 'removing']).optional(),
  startDate: seconds,
  endDate: seconds,
  sortOrder,
  hashOnly: flag.default(true),
})

/** Reading messages (protocol 03 §4.1 to §4.7). */
export function messageRoutes(context: CoreNodeContext) {
  const { db } = context
  const counts = new CountCache()

  return async (server: FastifyInstance): Promise<void> => {
    server.get('/api/v0/messages.json', { compress: {} }, async (request, reply) => {
      const query = parseQuery(listSchema, request.query)
      if (query.cursor && query.sortBy === 'tx-time') {
        throw new QueryError([{ type: 'value_error', loc: ['cursor'], msg: 'cursors need sortBy=time' }])
      }
      const filter = messageFilter(query)
      const page = pageOf(query)
      let rows = db
        .selectFrom('messages as m')
        .where(matchingMessages(filter))
        .orderBy('m.time', query.sortOrder)
        .orderBy('m.item_hash', 'asc')
        .limit(page.limit)
        .offset(page.offset)
      if (page.after) {
        const { at, id } = cursorPlace(page.after)
        const further = query.sortOrder === 'desc' ? sql`<` : sql`>`
        rows = rows.where(sql<boolean>`m.time ${further} ${at} or (m.time = ${at} and m.item_hash > ${id})`)
      }
      const found = await rows
        .select([messageJson(formatOf(query)).as('body'), 'm.time', 'm.item_hash'])
        .execute()
      const last = found.at(-1)
      return sendJsonList(reply, {
        name: 'messages',
        items: found.map((row) => row.body),
        page,
        query,
        total: () =>
          counts.get(JSON.stringify(filter), async () => {
            const { count } = await db
              .selectFrom('messages as m')
              .where(matchingMessages(filter))
              .select((eb) => eb.fn.countAll<bigint>().as('count'))
              .executeTakeFirstOrThrow()
            return Number(count)
          }),
        place: last && { t: last.time, h: last.item_hash },
      })
    })

    server.get('/api/v0/messages/hashes', async (request) => {
      const query = parseQuery(hashesSchema, request.query)
      const page = pageOf(query)
      let rows = db.selectFrom('messages')
      if (query.status) rows = rows.where('status', '=', query.status)
      if (query.startDate) rows = rows.where('reception_time', '>=', new Date(query.startDate * 1000))
      if (query.endDate) rows = rows.where('reception_time', '<', new Date(query.endDate * 1000))
      const found = await rows
        .select(['item_hash', 'status', 'reception_time'])
        .orderBy('reception_time', query.sortOrder)
        .orderBy('item_hash', 'asc')
        .limit(page.limit)
        .offset(page.offset)
        .execute()
      const total = await counts.get(
        `hashes ${JSON.stringify([query.status, query.startDate, query.endDate])}`,
        async () => {
          const { count } = await rows
            .select((eb) => eb.fn.countAll<bigint>().as('count'))
            .executeTakeFirstOrThrow()
          return Number(count)
        },
      )
      return {
        hashes: query.hashOnly
          ? found.map((row) => row.item_hash)
          : found.map((row) => ({ ...row, reception_time: isoTime(row.reception_time, 'Z') })),
        pagination_page: query.page,
        pagination_per_page: query.pagination,
        pagination_total: total,
        pagination_item: 'hashes',
      }
    })

    server.get<{ Params: { item_hash: string } }>('/api/v0/messages/:item_hash', async (request, reply) => {
      const body = await describeMessage(context.pool, validHash(request.params.item_hash))
      return reply.type('application/json; charset=utf-8').send(body)
    })

    server.get<{ Params: { item_hash: string } }>('/api/v0/messages/:item_hash/status', async (request) => {
      const { item_hash, status, reception_time } = await findStatus(
        context.pool,
        validHash(request.params.item_hash),
      )
      return { status, item_hash, reception_time: isoTime(reception_time, 'Z') }
    })

    server.get<{ Params: { item_hash: string } }>(
      '/api/v0/messages/:item_hash/content',
      async (request, reply) => {
        const hash = validHash(request.params.item_hash)
        const { status } = await findStatus(context.pool, hash)
        if (status !== 'processed') {
          throw new ApiError(422, 'not_processed', `Message ${hash} is not processed (status: ${status})`)
        }
        const { content } = await db
          .selectFrom('messages')
          .where('item_hash', '=', hash)
          .select(
            sql<string>`case when type = 'POST' then coalesce(content, item_content)::json -> 'content'
            else coalesce(content, item_content)::json end::text`.as('content'),
          )
          .executeTakeFirstOrThrow(
            () => new ApiError(410, 'forgotten', `This message has been forgotten: ${hash}`),
          )
        return reply.type('application/json; charset=utf-8').send(content ?? 'null')
      },
    )
  }
}

function validHash(hash: string): string {
  if (!isItemHash(hash))
    throw new ApiError(400, 'invalid_hash', `Invalid message hash: ${hash.slice(0, 100)}`)
  return hash
}
