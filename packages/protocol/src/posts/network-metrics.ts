import { messageLimits } from '../message/limits.ts'

/** Names of the network's own type for metrics, and of the one its documentation uses (protocol 06 §4.1). */
export const metricsPostTypes: readonly string[] = ['aleph-network-metrics', 'aleph-scoring-metrics']

const computeNodeFields = [
  'base_latency',
  'base_latency_ipv4',
  'full_check_latency',
  'diagnostic_vm_latency',
] as const
const coreNodeFields = [
  'base_latency',
  'base_latency_ipv4',
  'metrics_latency',
  'aggregate_latency',
  'file_download_latency',
  'pending_messages',
  'eth_height_remaining',
] as const
const wholeFields: ReadonlySet<string> = new Set(['pending_messages', 'eth_height_remaining'])

interface Measured {
  node_id: string
  /** Epoch seconds. */
  measured_at: number
}

export type ComputeNodeMetrics = Measured & Record<(typeof computeNodeFields)[number], number | null>
export type CoreNodeMetrics = Measured & Record<(typeof coreNodeFields)[number], number | null>

/**
 * Reads a metrics post as tolerantly as it was always read (protocol 02 §8.3): entries without a node or a time are
 * skipped, fields that are no numbers are null.
 */
export function readNetworkMetrics(content: unknown): { ccn: CoreNodeMetrics[]; crn: ComputeNodeMetrics[] } {
  const metrics = isObject(content) && isObject(content.metrics) ? content.metrics : {}
  return {
    ccn: rowsOf(metrics.ccn, coreNodeFields),
    crn: rowsOf(metrics.crn, computeNodeFields),
  }
}

function rowsOf<F extends string>(
  rows: unknown,
  fields: readonly F[],
): (Measured & Record<F, number | null>)[] {
  if (!Array.isArray(rows)) return []
  return rows.flatMap((row) => {
    if (!isObject(row) || !isNodeId(row.node_id)) return []
    const measuredAt = numberOf(row.measured_at)
    if (measuredAt === null) return []
    const values = Object.fromEntries(fields.map((field) => [field, measurement(field, row[field])]))
    return [{ node_id: row.node_id, measured_at: measuredAt, ...(values as Record<F, number | null>) }]
  })
}

/** Nodes index it: a longer one would be refused by their databases. */
function isNodeId(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= messageLimits.indexedCharacters
}

function measurement(field: string, value: unknown): number | null {
  const number = numberOf(value)
  return number !== null && wholeFields.has(field) ? Math.trunc(number) : number
}

function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
