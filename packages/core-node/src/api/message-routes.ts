import { apiRoutes, isItemHash } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type SqlBool, sql } from 'kysely'
import { ApiError, queryError } from './api-error.ts'
import { goneStatusOf, listGoneMessages } from './gone-messages.ts'
import { sendJsonList } from './json-list.ts'
import {
  confirmedAt,
  formatOf,
  type MessageFilter,
  matchingMessages,
  messageFilter,
} from './message-filter.ts'
import { isoTime, messageJson } from './message-shape.ts'
import { describeMessage, findStatus } from './message-status.ts'
import { pageInPath } from './page-in-path.ts'
import { beyond, cursorPlace, pageOf } from './query.ts'
import type { Exchange } from './serve.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'
import { countByStatus, onlyStatusAndType } from './status-counts.ts'
import type { Total } from './totals.ts'

type ListQuery = Exchange<typeof apiRoutes.listMessages>['query']

/** Reading messages (protocol 03 §4.1 to §4.7). */
export function messageRoutes(context: ApiContext) {
  const { db, pool, replica, totals } = context

  function totalOf(filter: MessageFilter): Promise<Total> {
    const kept = onlyStatusAndType(filter)
    return kept
      ? countByStatus(replica.db, kept)
      : totals.of(sql`from messages m where ${matchingMessages(filter)}`)
  }

  async function list(query: ListQuery, reply: FastifyReply): Promise<FastifyReply> {
    const gone = goneStatusOf(query)
    if (gone) return listGoneMessages(replica.db, totals, gone, query, reply)
    if (
      query.cursor !== undefined &&
      (query.sortBy === 'tx-time' || query.startBlock > 0 || query.endBlock > 0)
    ) {
      throw queryError('cursor', 'cursors need sortBy=time and no blocks')
    }
    const filter = messageFilter(query)
    const page = pageOf(query)
    const matching = matchingMessages(filter)
    const byChain = query.sortBy === 'tx-time' || query.startBlock > 0 || query.endBlock > 0
    let rows = replica.db.selectFrom('messages as m').where(matching)
    if (byChain) rows = rows.orderBy(confirmedAt, query.sortOrder)
    rows = rows
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
      total: () => totalOf(filter),
      place: last && { t: last.time, h: last.item_hash },
    })
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.listMessages, ({ query, reply }) => list(query, reply))
    serve(server, apiRoutes.listMessagesByPage, ({ params, query, reply }) =>
      list({ ...query, page: pageInPath(params.page) }, reply),
    )

    serve(server, apiRoutes.listHashes, async ({ query, reply }) => {
      const page = pageOf(query)
      const conditions = [sql<SqlBool>`true`]
      if (query.status) conditions.push(sql<SqlBool>`status = ${query.status}`)
      if (query.startDate) conditions.push(sql<SqlBool>`reception_time >= to_timestamp(${query.startDate})`)
      if (query.endDate) conditions.push(sql<SqlBool>`reception_time < to_timestamp(${query.endDate})`)
      const matching = sql<SqlBool>`${sql.join(conditions, sql` and `)}`
      const found = await replica.db
        .selectFrom('messages')
        .where(matching)
        .select(['item_hash', 'status', 'reception_time'])
        .orderBy('reception_time', query.sortOrder)
        .orderBy('item_hash', 'asc')
        .limit(page.limit)
        .offset(page.offset)
        .execute()
      const items = found.map(({ item_hash, status, reception_time }) =>
        query.hashOnly ? item_hash : { item_hash, status, reception_time: isoTime(reception_time, 'Z') },
      )
      return sendJsonList(reply, {
        name: 'hashes',
        items: items.map((item) => JSON.stringify(item)),
        page,
        query,
        total: () =>
          query.startDate || query.endDate
            ? totals.of(sql`from messages where ${matching}`)
            : countByStatus(replica.db, query.status ? { status: [query.status] } : {}),
      })
    })

    serve(server, apiRoutes.getMessage, ({ params }) => describeMessage(pool, validHash(params.item_hash)))

    serve(server, apiRoutes.getMessageStatus, async ({ params }) => {
      const { item_hash, status, reception_time } = await findStatus(pool, validHash(params.item_hash))
      return { status, item_hash, reception_time: isoTime(reception_time, 'Z') }
    })

    serve(server, apiRoutes.getMessageContent, async ({ params }) => {
      const hash = validHash(params.item_hash)
      const { status } = await findStatus(pool, hash)
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
