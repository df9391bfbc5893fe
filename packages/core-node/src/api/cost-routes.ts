import { addressKey, apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { type SqlBool, sql } from 'kysely'
import { queryError } from './api-error.ts'
import { consumedCredits } from './credit-parts.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'
import { SlowCache } from './slow-cache.ts'

const money = (column: string) =>
  sql<string>`(trunc(coalesce(sum(${sql.ref(column)}), 0), 18)::numeric(60, 18))::text`

type CostSummary = {
  total_consumed_credits: number
  total_cost_hold: string
  total_cost_stream: string
  total_cost_credit: string
  resource_count: number
}

/** What everything costs that runs and is kept (protocol 03 §11.4). */
export function costRoutes({ db, pool, replica, logger }: ApiContext) {
  const summaries = new SlowCache<CostSummary>((error) =>
    logger.warn({ err: error }, 'the costs of everything were not added up'),
  )

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.listCosts, async ({ query }) => {
      const { address, itemHash, paymentType, includeDetails, pagination, page } = query
      if (includeDetails === 2 && !address && !itemHash) {
        throw queryError('include_details', 'include_details=2 needs address or item_hash')
      }
      const source = address || itemHash ? { db, pool } : replica
      let matching = source.db.selectFrom('account_costs').where('payment_type', '=', paymentType)
      if (address) matching = matching.where('owner', '=', address)
      if (itemHash) matching = matching.where('item_hash', '=', itemHash)
      const filters = { address: address ?? null, item_hash: itemHash ?? null, payment_type: paymentType }
      const isOfEverybody = source === replica
      const summary = isOfEverybody ? await summaries.get(paymentType, summarise) : await summarise()
      const resources = includeDetails > 0 ? await listResources() : null
      return {
        summary,
        filters,
        resources,
        pagination_page: resources && page,
        pagination_total: resources && summary.resource_count,
        pagination_per_page: resources && pagination,
        pagination_item: resources && 'resources',
      }

      async function summarise(): Promise<CostSummary> {
        const totals = await matching
          .select([
            money('cost_hold').as('total_cost_hold'),
            money('cost_stream').as('total_cost_stream'),
            money('cost_credit').as('total_cost_credit'),
          ])
          .executeTakeFirstOrThrow()
        // In the order of an index, which counting distinct values does not use.
        const resources = await source.db
          .selectFrom(matching.select('item_hash').groupBy('item_hash').as('resource'))
          .select((eb) => eb.fn.countAll<bigint>().as('count'))
          .executeTakeFirstOrThrow()
        return {
          total_consumed_credits: await consumedBy(),
          ...totals,
          resource_count: Number(resources.count),
        }
      }

      async function consumedBy(): Promise<number> {
        const { rows } = await source.pool.query<{ sum: string }>(
          `select coalesce(-sum(amount), 0)::text as sum from credit_history
           where payment_method = 'credit_expense' and ${address ? 'address = $1' : '$1::text is null'}
             and ${itemHash ? "coalesce(nullif(origin, ''), origin_ref) = $2" : '$2::text is null'}`,
          [address ? addressKey('ETH', address) : null, itemHash ?? null],
        )
        return Number(rows[0]!.sum)
      }

      async function listResources() {
        const shown = await matching
          .select('item_hash')
          .distinct()
          .orderBy('item_hash')
          .limit(pagination)
          .offset((page - 1) * pagination)
          .execute()
        const hashes = shown.map((row) => row.item_hash)
        const rows = await matching
          .where(sql<SqlBool>`item_hash = any(${hashes})`)
          .select(['item_hash', 'owner', 'payment_type'])
          .select([
            money('cost_hold').as('cost_hold'),
            money('cost_stream').as('cost_stream'),
            money('cost_credit').as('cost_credit'),
          ])
          .groupBy(['item_hash', 'owner', 'payment_type'])
          .orderBy('item_hash')
          .execute()
        const consumed = await consumedCredits(source.pool, hashes)
        const parts = includeDetails === 2 ? await partsOf(hashes) : undefined
        return rows.map((row) => ({
          ...row,
          consumed_credits: consumed.get(row.item_hash) ?? 0,
          detail: parts ? (parts.get(row.item_hash) ?? []) : null,
        }))
      }
    })
  }

  async function partsOf(hashes: string[]) {
    const rows = hashes.length
      ? await db
          .selectFrom('account_costs')
          .where('item_hash', 'in', hashes)
          .select(['item_hash', 'type', 'name'])
          .select([
            sql<string>`cost_hold::numeric(60, 18)::text`.as('cost_hold'),
            sql<string>`cost_stream::numeric(60, 18)::text`.as('cost_stream'),
            sql<string>`cost_credit::numeric(60, 18)::text`.as('cost_credit'),
          ])
          .orderBy('type')
          .orderBy('name')
          .execute()
      : []
    const byHash = new Map<string, object[]>()
    for (const { item_hash, ...part } of rows) {
      byHash.set(item_hash, [...(byHash.get(item_hash) ?? []), { ...part, size_mib: null }])
    }
    return byHash
  }
}
