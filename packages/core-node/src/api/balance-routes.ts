import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { knownBalances } from '../chains/balances.ts'
import { sendJsonList } from './json-list.ts'
import { isOneOf } from './message-filter.ts'
import { cursorTexts, pageOf } from './query.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

interface BalanceRow {
  address: string
  chain: string
  dapp: string
  balance: string
}

/** Who holds ALEPH (protocol 03 §10.2). */
export function balanceRoutes({ replica: { db }, totals }: ApiContext) {
  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.listBalances, async ({ query, reply }) => {
      const page = pageOf(query)
      const conditions = [sql<SqlBool>`balance >= ${query.minBalance}`]
      if (query.chains) conditions.push(isOneOf('chain', query.chains))
      const matching = sql`${sql.join(conditions, sql` and `)}`
      const rest = page.after
        ? sql`and ${beyondHolder(cursorTexts(page.after, ['a', 'c', 'd']) as [string, string, string])}`
        : sql``
      // Each source in its own order, so that an index gives the beginning of each.
      const beginnings = knownBalances.map(
        (source) => sql`(select address, chain, coalesce(dapp, '') as dapp, balance::text as balance
          from (${sql.raw(source)}) b where ${matching} ${rest}
          order by address, chain, coalesce(dapp, '') limit ${page.offset + page.limit})`,
      )
      const { rows } = await sql<BalanceRow>`${sql.join(beginnings, sql` union all `)}
        order by address, chain, dapp limit ${page.limit} offset ${page.offset}`.execute(db)
      const last = rows.at(-1)
      return sendJsonList(reply, {
        name: 'balances',
        items: rows.map(({ address, chain, balance }) =>
          JSON.stringify({ address, balance: Number(balance), chain }),
        ),
        page,
        query,
        total: () =>
          totals.of(
            sql`from (${sql.join(knownBalances.map(sql.raw), sql` union all `)}) b where ${matching}`,
          ),
        place: last && { a: last.address, c: last.chain, d: last.dapp },
      })
    })
  }
}

/** The first comparison alone bounds the scan of an index. */
function beyondHolder([address, chain, dapp]: [string, string, string]): RawBuilder<SqlBool> {
  return sql<SqlBool>`(address, chain) >= (${address}, ${chain})
    and (address, chain, coalesce(dapp, '')) > (${address}, ${chain}, ${dapp})`
}
