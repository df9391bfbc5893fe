import { addressKey, chainCodes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { z } from 'zod'
import { listBalances } from '../chains/balances.ts'
import type { CoreNodeContext } from '../context.ts'
import { ApiError } from './api-error.ts'
import { isoTime } from './message-shape.ts'
import { cursorPlace, encodeCursor, flag, hash, pageFields, pageOf, parseQuery, sortOrder } from './query.ts'

const balanceSchema = z.object({ chain: z.enum(chainCodes).optional(), includeCreditDetails: flag })
const filesSchema = z.object({ ...pageFields(100), sortOrder, fileHash: hash.optional() })

type AddressRoute = { Params: { address: string } }

/** What an address holds and keeps (protocol 03 §10.1, §10.4, §10.6). */
export function accountRoutes({ db, pool }: CoreNodeContext) {
  return async (server: FastifyInstance): Promise<void> => {
    server.get<AddressRoute>('/api/v0/addresses/:address/balance', async (request) => {
      const query = parseQuery(balanceSchema, request.query)
      const address = cleanAddress(request.params.address)
      const account = addressKey('ETH', address)
      const held = (await listBalances(pool, account)).filter((row) => row.dapp === null)
      const counted = held.filter((row) => query.chain === undefined || row.chain === query.chain)
      const { locked } = await db
        .selectFrom('account_costs')
        .where('owner', '=', account)
        .where('payment_type', '=', 'hold')
        .select(sql<string>`coalesce(sum(cost_hold), 0)`.as('locked'))
        .executeTakeFirstOrThrow()
      return {
        address,
        balance: counted.reduce((sum, row) => sum + Number(row.balance), 0),
        details: query.chain ? {} : Object.fromEntries(held.map((row) => [row.chain, Number(row.balance)])),
        locked_amount: Number(locked),
        credit_balance: 0,
        credit_balance_details: query.includeCreditDetails ? [] : null,
      }
    })

    server.get<AddressRoute>('/api/v0/addresses/:address/files', async (request) => {
      const query = parseQuery(filesSchema, request.query)
      const page = pageOf(query)
      const address = cleanAddress(request.params.address)
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
        const { at, id } = cursorPlace(page.after)
        const further = query.sortOrder === 'desc' ? sql`<` : sql`>`
        rows = rows.where(
          sql<boolean>`p.created ${further} ${at} or (p.created = ${at} and p.item_hash > ${id})`,
        )
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

    server.get<AddressRoute>('/api/v0/addresses/:address/post_types', async (request) => {
      const address = cleanAddress(request.params.address)
      const rows = await db
        .selectFrom('messages')
        .where('sender', '=', address)
        .where('type', '=', 'POST')
        .where('content_type', 'is not', null)
        .select('content_type')
        .distinct()
        .orderBy('content_type')
        .execute()
      return { address, post_types: rows.map((row) => row.content_type) }
    })

    server.get<AddressRoute>('/api/v0/addresses/:address/channels', async (request) => {
      const address = cleanAddress(request.params.address)
      const rows = await db
        .selectFrom('messages')
        .where('sender', '=', address)
        .where('channel', 'is not', null)
        .select('channel')
        .distinct()
        .orderBy('channel')
        .execute()
      return { address, channels: rows.map((row) => row.channel) }
    })
  }
}

/** PostgreSQL knows no NUL, and neither does any address. */
function cleanAddress(address: string): string {
  return address.replaceAll('\0', '')
}
