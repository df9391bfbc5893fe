import { addressKey, apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { listBalances } from '../chains/balances.ts'
import { ApiError } from './api-error.ts'
import { creditParts } from './credit-parts.ts'
import { distinctValues } from './distinct-values.ts'
import { isoTime } from './message-shape.ts'
import { beyond, cursorPlace, encodeCursor, pageOf } from './query.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

/** What an address holds and keeps (protocol 03 §10.1, §10.4, §10.6). */
export function accountRoutes({ db, pool }: ApiContext) {
  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getBalance, async ({ params: { address }, query }) => {
      const account = addressKey('ETH', address)
      const held = (await listBalances(pool, account)).filter((row) => row.dapp === null)
      const counted = held.filter((row) => query.chain === undefined || row.chain === query.chain)
      const { locked } = await db
        .selectFrom('account_costs')
        .where('owner', '=', account)
        .where('payment_type', '=', 'hold')
        .select(sql<string>`coalesce(sum(cost_hold), 0)`.as('locked'))
        .executeTakeFirstOrThrow()
      const credits = await creditParts(pool, account)
      return {
        address,
        balance: counted.reduce((sum, row) => sum + Number(row.balance), 0),
        details: query.chain ? {} : Object.fromEntries(held.map((row) => [row.chain, Number(row.balance)])),
        locked_amount: Number(locked),
        credit_balance: credits.reduce((sum, part) => sum + part.amount, 0),
        credit_balance_details: query.includeCreditDetails ? credits : null,
      }
    })

    serve(server, apiRoutes.listFiles, async ({ params: { address }, query }) => {
      const page = pageOf(query)
      let all = db
        .selectFrom('file_pins as p')
        .innerJoin('files as f', 'f.hash', 'p.file_hash')
        .where('p.owner', '=', address)
        .where('p.type', '=', 'message')
      if (query.fileHash) all = all.where('p.file_hash', '=', query.fileHash)
      const { count, total } = await all
        .select([sql<bigint>`count(*)`.as('count'), sql<string>`coalesce(sum(f.size), 0)`.as('total')])
        .executeTakeFirstOrThrow()
      if (count === 0n) throw new ApiError(404, 'no_files', '404: Not Found')
      let rows = all
      if (page.after) {
        rows = rows.where(beyond('p.created', 'p.item_hash', query.sortOrder, cursorPlace(page.after)))
      }
      const found = await rows
        .select(['p.file_hash', 'f.size', 'f.type', 'p.created', 'p.item_hash'])
        .orderBy('p.created', query.sortOrder)
        .orderBy('p.item_hash', 'asc')
        .limit(page.limit)
        .offset(page.offset)
        .execute()
      const files = found.map((row) => ({
        ...row,
        item_hash: row.item_hash!,
        size: Number(row.size),
        created: page.after === undefined ? isoTime(row.created, 'Z') : row.created,
      }))
      const common = { address, total_size: Number(total), files }
      if (page.after === undefined) {
        const { page: pagination_page, pagination: pagination_per_page } = query
        return { ...common, pagination_page, pagination_total: Number(count), pagination_per_page }
      }
      const last = found.at(-1)
      const isMore = last && found.length === page.limit
      const next_cursor = isMore ? encodeCursor({ t: last.created, h: last.item_hash }) : null
      return { ...common, pagination_per_page: page.limit, next_cursor }
    })

    serve(server, apiRoutes.listPostTypes, async ({ params: { address } }) => {
      const post_types = await distinctValues(
        pool,
        `select content_type as value from messages where sender = $1 and type = 'POST' and content_type > $2
         order by content_type limit 1`,
        [address],
      )
      return { address, post_types }
    })

    serve(server, apiRoutes.listAddressChannels, async ({ params: { address } }) => {
      const channels = await distinctValues(
        pool,
        'select channel as value from messages where sender = $1 and channel > $2 order by channel limit 1',
        [address],
      )
      return { address, channels }
    })
  }
}
