import { apiRoutes, isItemHash } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { sql } from 'kysely'
import { ApiError, queryError } from './api-error.ts'
import { CountCache } from './count-cache.ts'
import { goneStatusOf, listGoneMessages } from './gone-messages.ts'
import { sendJsonList } from './json-list.ts'
import { formatOf, matchingMessages, messageFilter } from './message-filter.ts'
import { isoTime, messageJson } from './message-shape.ts'
import { describeMessage, findStatus } from './message-status.ts'
import { pageInPath } from './page-in-path.ts'
import { beyond, cursorPlace, pageOf } from './query.ts'
import type { Exchange } from './serve.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

type ListQuery = Exchange<typeof apiRoutes.listMessages>['query']

/** Reading messages (protocol 03 §4.1 to §4.7). */
export function messageRoutes(context: ApiContext) {
  const { db } = context
  const counts = new CountCache()

  async function list(query: ListQuery, reply: FastifyReply): Promise<FastifyReply> {
    const gone = goneStatusOf(query)
    if (gone) return listGoneMessages(db, counts, gone, query, reply)
    if (
      query.cursor !== undefined &&
      (query.sortBy === 'tx-time' || query.startBlock > 0 || query.endBlock > 0)
    ) {
      throw queryError('cursor', 'cursors need sortBy=time and no blocks')
    }
    const filter = messageFilter(query)
    const page = pageOf(query)
    const matching = db.selectFrom('messages as m').where(matchingMessages(filter))
    // What no chain has confirmed counts as newer than everything that is.
    const byChain = query.sortBy === 'tx-time' || query.startBlock > 0 || query.endBlock > 0
    let rows = (
      byChain ? matching.orderBy(sql`coalesce(m.first_confirmed_at, 'infinity')`, query.sortOrder) : matching
    )
      .orderBy('m.time', query.sortOrder)
      .orderBy('m.item_hash', 'asc')
      .limit(page.limit)
      .offset(page.offset)
    if (page.after) {
      rows = rows.where(beyond('m.time', 'm.item_hash', query.sortOrder, cursorPlace(page.after)))
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
          const { count } = await matching
            .select((eb) => eb.fn.countAll<bigint>().as('count'))
            .executeTakeFirstOrThrow()
          return Number(count)
        }),
      place: last && { t: last.time, h: last.item_hash },
    })
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.listMessages, ({ query, reply }) => list(query, reply), { compress: {} })
    serve(
      server,
      apiRoutes.listMessagesByPage,
      ({ params, query, reply }) => list({ ...query, page: pageInPath(params.page) }, reply),
      { compress: {} },
    )

    serve(server, apiRoutes.listHashes, async ({ query }) => {
      const page = pageOf(query)
      let rows = db.selectFrom('messages')
      if (query.status) rows = rows.where('status', '=', query.status as 'processed')
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

    serve(server, apiRoutes.getMessage, ({ params }) =>
      describeMessage(context.pool, validHash(params.item_hash)),
    )

    serve(server, apiRoutes.getMessageStatus, async ({ params }) => {
      const { item_hash, status, reception_time } = await findStatus(
        context.pool,
        validHash(params.item_hash),
      )
      return { status, item_hash, reception_time: isoTime(reception_time, 'Z') }
    })

    serve(server, apiRoutes.getMessageContent, async ({ params }) => {
      const hash = validHash(params.item_hash)
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
      return content ?? 'null'
    })
  }
}

/** @throws {ApiError} 400 */
export function validHash(hash: string): string {
  if (isItemHash(hash)) return hash
  throw new ApiError(400, 'invalid_hash', `Invalid message hash: ${hash.slice(0, 100)}`, {
    path: 'path.item_hash',
  })
}
