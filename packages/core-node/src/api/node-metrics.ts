import type { apiRoutes, QueryOf } from '@aleph-ts/protocol'
import type pg from 'pg'
import { ApiError } from './api-error.ts'

const common = ['item_hash', 'measured_at', 'base_latency', 'base_latency_ipv4']
const columns = {
  ccn_metrics: [
    ...common,
    'metrics_latency',
    'aggregate_latency',
    'file_download_latency',
    'pending_messages',
    'eth_height_remaining',
  ],
  crn_metrics: [...common, 'full_check_latency', 'diagnostic_vm_latency'],
}
const defaultSpan = 14 * 86_400
const mostRows = 50_000

/** Measurements of a node as columns of the same length (protocol 03 §12.4). */
export async function nodeMetrics(
  pool: pg.Pool,
  table: keyof typeof columns,
  nodeId: string,
  { startDate, endDate, sort }: QueryOf<typeof apiRoutes.getCoreNodeMetrics>,
): Promise<{ metrics: Record<string, unknown[]> }> {
  const end = endDate || Number.POSITIVE_INFINITY
  const start = startDate || (endDate || Date.now() / 1000) - defaultSpan
  const direction = ['DESC', 'DESCENDING', '-1'].includes(sort) ? 'desc' : 'asc'
  const names = columns[table]
  const { rows } = await pool.query<Record<string, unknown>>(
    `select ${names.join(', ')} from ${table} where node_id = $1 and measured_at between $2 and $3
     order by measured_at ${direction}, item_hash limit ${mostRows}`,
    [nodeId, start, end],
  )
  if (rows.length === 0)
    throw new ApiError(404, 'no_metrics', 'Nothing was measured of this node in that time')
  return { metrics: Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])])) }
}
