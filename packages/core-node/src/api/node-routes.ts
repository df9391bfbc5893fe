import type { FastifyInstance } from 'fastify'
import type { CoreNodeContext } from '../context.ts'
import { version } from '../version.ts'
import { CountCache } from './count-cache.ts'
import type { ApiServices } from './server.ts'

/** Who this node is and how it does (protocol 03 §12). */
export function nodeRoutes({ db, inbox, metrics }: CoreNodeContext, { nodeMultiaddrs }: ApiServices) {
  const counts = new CountCache()

  async function statistics(): Promise<Record<string, unknown>> {
    const count = (table: 'messages' | 'file_pins' | 'peers') =>
      counts.get(table, async () => {
        const row = await db
          .selectFrom(table as 'messages')
          .select((eb) => eb.fn.countAll<bigint>().as('count'))
          .executeTakeFirstOrThrow()
        return Number(row.count)
      })
    const chain = Object.fromEntries(
      await Promise.all(
        (await metrics.registry.getMetricsAsJSON())
          .filter(
            (metric) =>
              metric.name.startsWith('pyaleph_status_chain_') || metric.name.startsWith('pyaleph_ws_'),
          )
          .map(async (metric) => [metric.name, metric.values[0]?.value ?? null] as const),
      ),
    )
    return {
      pyaleph_build_info: { python_version: process.version, version },
      pyaleph_status_peers_total: await count('peers'),
      pyaleph_status_sync_messages_total: (await count('messages')) + inbox.pendingCount,
      pyaleph_status_sync_permanent_files_total: await count('file_pins'),
      pyaleph_status_sync_pending_messages_total: inbox.pendingCount,
      pyaleph_status_sync_pending_txs_total: 0,
      ...chain,
    }
  }

  return async (server: FastifyInstance): Promise<void> => {
    server.get('/api/v0/info/public.json', async () => ({ node_multi_addresses: nodeMultiaddrs() }))
    for (const path of ['/version', '/api/v0/version']) {
      server.get(path, async () => ({ version, name: 'aleph-ts core node' }))
    }
    for (const path of ['/metrics.json', '/api/v0/metrics.json']) server.get(path, statistics)

    server.get('/metrics', async (_request, reply) => {
      reply.type('text/plain; charset=utf-8')
      const own = await metrics.registry.metrics()
      const known = new Set(metrics.registry.getMetricsAsArray().map((metric) => metric.name))
      const further = Object.entries(await statistics())
        .filter(([name, value]) => !known.has(name) && typeof value === 'number')
        .map(([name, value]) => `${name} ${value}`)
      return `${own}${further.join('\n')}\n`
    })

    server.get('/api/v0/channels/list.json', async () => {
      const rows = await db
        .selectFrom('messages')
        .where('channel', 'is not', null)
        .select('channel')
        .distinct()
        .orderBy('channel')
        .execute()
      return { channels: rows.map((row) => row.channel) }
    })
  }
}
