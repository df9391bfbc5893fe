import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { type SqlBool, sql } from 'kysely'
import { queryError } from './api-error.ts'
import { totalFields } from './json-list.ts'
import { beyond, cursorTexts, encodeCursor, pageOf } from './query.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

/** Without addresses the older route tells about so many. */
const mostAddresses = 1000

interface StatsRow {
  sender: string
  total: bigint
  aggregate: bigint
  forget: bigint
  instance: bigint
  post: bigint
  program: bigint
  store: bigint
}

/** How many messages addresses sent (protocol 03 §10.7). */
export function statsRoutes({ pool, replica, totals }: ApiContext) {
  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getAddressStats, async ({ request }) => {
      const given = (request.query as Record<string, string | string[] | undefined>)['addresses[]']
      const addresses =
        given === undefined ? undefined : [given].flat().map((text) => text.replaceAll('\0', ''))
      const { rows } = await pool.query<StatsRow>(
        `select * from sender_counts where total > 0 ${addresses ? 'and sender = any($1)' : ''}
         order by total desc, sender limit ${mostAddresses}`,
        addresses ? [addresses] : [],
      )
      return { data: dataOf(rows) }
    })

    serve(server, apiRoutes.listAddressStats, async ({ query }) => {
      const page = pageOf(query)
      const column = sql.ref(query.sortBy)
      const conditions = [sql<SqlBool>`total > 0`]
      const part = query.addressContains?.toLowerCase()
      if (part) conditions.push(sql<SqlBool>`lower(sender) like ${`%${part.replace(/[\\%_]/g, '\\$&')}%`}`)
      const matching = sql`from sender_counts where ${sql.join(conditions, sql` and `)}`
      const rest = page.after
        ? sql`and ${beyond(query.sortBy, 'sender', query.sortOrder, placeOf(page.after))}`
        : sql``
      const { rows } = await sql<StatsRow>`select * ${matching} ${rest}
        order by ${column} ${sql.raw(query.sortOrder)}, sender limit ${page.limit} offset ${page.offset}`.execute(
        replica.db,
      )
      const last = rows.at(-1)
      if (page.after === undefined) {
        return {
          data: dataOf(rows),
          pagination_page: query.page,
          pagination_per_page: query.pagination,
          ...totalFields(await totals.of(matching)),
          pagination_item: 'addresses',
        }
      }
      const isMore = last && rows.length === page.limit
      return {
        data: dataOf(rows),
        pagination_per_page: page.limit,
        next_cursor: isMore ? encodeCursor({ a: last.sender, v: String(last[query.sortBy]) }) : null,
        pagination_item: 'addresses',
      }
    })
  }
}

function placeOf(after: Record<string, unknown>): { at: number; id: string } {
  const [value, address] = cursorTexts(after, ['v', 'a']) as [string, string]
  if (!/^\d{1,18}$/.test(value)) throw queryError('cursor', 'Invalid cursor: it belongs to another list')
  return { at: Number(value), id: address }
}

function dataOf(rows: StatsRow[]) {
  return Object.fromEntries(
    rows.map(({ sender, total, aggregate, forget, instance, post, program, store }) => [
      sender,
      {
        messages: Number(total),
        aggregate: Number(aggregate),
        forget: Number(forget),
        instance: Number(instance),
        post: Number(post),
        program: Number(program),
        store: Number(store),
      },
    ]),
  )
}
