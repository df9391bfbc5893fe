import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { ApiError } from './api-error.ts'
import {
  beyondHistory,
  creditConditions,
  type HistoryRow,
  historyItem,
  historyPlace,
  sortColumn,
} from './credit-history.ts'
import { consumedCredits } from './credit-parts.ts'
import { sendJsonList, totalFields } from './json-list.ts'
import { cursorTexts, encodeCursor, pageOf } from './query.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

/** Credits of accounts (protocol 03 §10.3, §10.5, §10.8). */
export function creditRoutes({ db, pool, replica, totals }: ApiContext) {
  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.listCreditBalances, async ({ query, reply }) => {
      const page = pageOf(query)
      const [after] = page.after ? cursorTexts(page.after, ['a']) : []
      const credits = sql<bigint>`coalesce(sum(amount_remaining)
        filter (where expiration_date is null or expiration_date > (extract(epoch from now()) * 1000)::bigint), 0)`
      const rich = query.minBalance > 0 ? sql`having ${credits} >= ${query.minBalance}` : sql``
      // Grouped in the order of an index, of which a page needs the beginning.
      const { rows } = await sql<{ address: string; credits: string }>`
        select address, ${credits}::text as credits from credit_lots
        ${after === undefined ? sql`` : sql`where address > ${after}`}
        group by address ${rich} order by address limit ${page.limit} offset ${page.offset}`.execute(
        replica.db,
      )
      const last = rows.at(-1)
      return sendJsonList(reply, {
        name: 'credit_balances',
        items: rows.map((row) => JSON.stringify({ address: row.address, credits: Number(row.credits) })),
        page,
        query,
        total: () => totals.of(sql`from (select from credit_lots group by address ${rich}) accounts`),
        place: last && { a: last.address },
      })
    })

    serve(server, apiRoutes.listCreditHistory, async ({ params: { address }, query }) => {
      const page = pageOf(query)
      const matching = sql`from credit_history h where ${creditConditions(address, query)}`
      const direction = query.sortOrder === 'desc' ? sql`desc` : sql`asc`
      const column = sortColumn(query.sortBy)
      const rest = page.after ? sql`and ${beyondHistory(historyPlace(page.after, query), query)}` : sql``
      const { rows } = await sql<HistoryRow & { place: string | null }>`
        select h.amount::text as amount, h.price, h.bonus_amount, h.tx_hash, h.token, h.chain, h.provider, h.origin,
          h.origin_ref, h.payment_method, h.credit_ref, h.credit_index, h.expiration_date, h.message_timestamp,
          h.expense_count, h.expense_size_mib, ${column}::text as place
        ${matching} ${rest}
        order by ${column} ${direction} nulls last, h.credit_ref ${direction}, h.credit_index ${direction}
        limit ${page.limit} offset ${page.offset}`.execute(db)
      if (rows.length === 0 && !page.after) {
        throw new ApiError(404, 'no_credit_history', 'No credit history found for this address')
      }
      const credit_history = rows.map((row) => historyItem(row, page.after !== undefined))
      if (page.after === undefined) {
        return {
          address,
          credit_history,
          pagination_page: query.page,
          ...totalFields(await totals.of(matching, { db, pool })),
          pagination_per_page: query.pagination,
        }
      }
      const last = rows.length === page.limit ? rows.at(-1) : undefined
      const place = last && {
        s: query.sortBy,
        o: query.sortOrder === 'asc' ? 1 : -1,
        v: last.place,
        r: last.credit_ref,
        i: last.credit_index,
      }
      return {
        address,
        credit_history,
        pagination_per_page: page.limit,
        next_cursor: place ? encodeCursor(place) : null,
      }
    })

    serve(server, apiRoutes.getCreditSummary, async ({ params: { address }, query }) => {
      const { rows } = await sql<{ count: bigint; incoming: string; outgoing: string }>`
        select count(*) as count, coalesce(sum(amount) filter (where amount > 0), 0)::text as incoming,
          coalesce(sum(amount) filter (where amount < 0), 0)::text as outgoing
        from credit_history h where ${creditConditions(address, query)}`.execute(db)
      const { count, incoming, outgoing } = rows[0]!
      return {
        address,
        entry_count: Number(count),
        total_amount: Number(incoming) + Number(outgoing),
        total_incoming: Number(incoming),
        total_outgoing: Number(outgoing),
      }
    })

    serve(server, apiRoutes.getConsumedCredits, async ({ params: { item_hash } }) => {
      const consumed = await consumedCredits(pool, [item_hash])
      return { item_hash, consumed_credits: consumed.get(item_hash) ?? 0 }
    })
  }
}
