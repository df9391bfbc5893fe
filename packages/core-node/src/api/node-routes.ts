import { apiRoutes, sha256Hex } from '@aleph-ts/protocol'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { type SqlBool, sql } from 'kysely'
import { stateDigests } from '../state/digest.ts'
import { version } from '../version.ts'
import { ApiError } from './api-error.ts'
import { askForUpgrade } from './broken-requests.ts'
import { distinctValues } from './distinct-values.ts'
import { nodeMetrics } from './node-metrics.ts'
import { serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'
import { countByStatus } from './status-counts.ts'

const statusMs = 10_000
const mostWatchers = 1000
const mostPrograms = 10_000
/** Close code of RFC 6455. */
const tryAgainLater = 1013

/** Who this node is and how it does (protocol 03 §12). */
export function nodeRoutes(
  { pool, replica, totals, inbox, metrics, logger }: ApiContext,
  { nodeMultiaddrs }: ApiServices,
) {
  async function statistics() {
    const count = async (table: 'file_pins' | 'peers') =>
      (await totals.of(sql`from ${sql.table(table)}`)).count
    const kept = Object.fromEntries(
      await Promise.all(
        (await metrics.registry.getMetricsAsJSON())
          .filter(({ name }) => /^pyaleph_(status_(chain|sync_pending_txs)|ws|store_fetch)_/.test(name))
          .map(async (metric) => [metric.name, metric.values[0]?.value ?? null] as const),
      ),
    )
    return {
      pyaleph_build_info: { python_version: process.version, version },
      pyaleph_status_peers_total: await count('peers'),
      pyaleph_status_sync_messages_total: (await countByStatus(replica.db)).count + inbox.pendingCount,
      pyaleph_status_sync_permanent_files_total: await count('file_pins'),
      pyaleph_status_sync_pending_messages_total: inbox.pendingCount,
      ...kept,
    }
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getNodeInfo, () => ({ node_multi_addresses: nodeMultiaddrs() }))
    serve(server, apiRoutes.getVersion, () => ({ version, name: 'aleph-ts core node' }))
    serve(server, apiRoutes.getMetrics, statistics)
    serve(server, apiRoutes.getStateDigest, async ({ request }) => {
      // It reads everything there is: no stranger may ask for that.
      if (!isLoopback(request.ip)) {
        throw new ApiError(403, 'loopback_only', 'The digest is computed for callers on this machine only')
      }
      const tables = await stateDigests(pool)
      return { digest: sha256Hex(JSON.stringify(tables)), tables }
    })

    serve(server, apiRoutes.getMetricsText, async ({ reply }) => {
      reply.type('text/plain; charset=utf-8')
      const own = await metrics.registry.metrics()
      const known = new Set(metrics.registry.getMetricsAsArray().map((metric) => metric.name))
      const further = Object.entries(await statistics())
        .filter(([name, value]) => !known.has(name) && typeof value === 'number')
        .map(([name, value]) => `${name} ${value}`)
      return `${own}${further.join('\n')}\n`
    })

    serve(server, apiRoutes.listChannels, async () => ({
      channels: await distinctValues(
        replica.pool,
        'select channel as value from messages where channel > $1 order by channel limit 1',
      ),
    }))

    serve(server, apiRoutes.listMessagePrograms, async ({ query, request }) => {
      const unknown = Object.keys(request.query as object).find((name) => !/^sort(Order|_order)$/.test(name))
      if (unknown !== undefined) {
        const path = `query.${unknown}`
        throw new ApiError(400, 'unknown_parameter', `${unknown}: only sort_order is known here`, { path })
      }
      const programs = await replica.db
        .selectFrom('vms')
        .where('type', '=', 'program')
        .where(sql<SqlBool>`content -> 'on' ->> 'message' is not null`)
        .select(['item_hash', sql<unknown>`content -> 'on' -> 'message'`.as('message')])
        .orderBy('created', query.sortOrder)
        .orderBy('item_hash')
        .limit(mostPrograms)
        .execute()
      return programs.map(({ item_hash, message }) => ({ item_hash, content: { on: { message } } }))
    })

    const histories = [
      { route: apiRoutes.getCoreNodeMetrics, table: 'ccn_metrics' },
      { route: apiRoutes.getComputeNodeMetrics, table: 'crn_metrics' },
    ] as const
    for (const { route, table } of histories) {
      serve(server, route, ({ params, query }) => nodeMetrics(replica.pool, table, params.node_id, query))
    }

    const watchers = new Set<WebSocket>()
    let told = ''
    const timer = setInterval(() => {
      if (watchers.size > 0)
        void tell().catch((error) => logger.warn({ err: error }, 'no status for the feed'))
    }, statusMs)
    server.addHook('preClose', async () => clearInterval(timer))
    async function tell(): Promise<void> {
      const now = JSON.stringify(await statistics())
      if (now === told) return
      told = now
      for (const socket of watchers) socket.send(now)
    }
    const watch = async (socket: WebSocket) => {
      if (watchers.size >= mostWatchers) {
        metrics.refusedStatusFeeds.inc()
        return socket.close(tryAgainLater, 'Too many connections')
      }
      watchers.add(socket)
      metrics.statusFeeds.set(watchers.size)
      socket.on('error', () => socket.terminate())
      socket.on('close', () => {
        watchers.delete(socket)
        metrics.statusFeeds.set(watchers.size)
      })
      try {
        socket.send(JSON.stringify(await statistics()))
      } catch (error) {
        logger.warn({ err: error }, 'a status feed could not be started')
        socket.close(tryAgainLater, 'The status cannot be read now')
      }
    }
    server.route({
      method: 'GET',
      url: apiRoutes.watchStatus.path,
      handler: askForUpgrade,
      wsHandler: watch,
    })
  }
}

function isLoopback(ip: string): boolean {
  return ip === '::1' || /^(::ffff:)?127\./.test(ip)
}
