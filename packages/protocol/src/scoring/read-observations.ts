import type { ComputeNodeMeasurement, CoreNodeMeasurement } from './measurements.ts'
import type { Observations } from './network-scores.ts'
import type { ScoringPolicy } from './scoring-policy.ts'
import { versionAge } from './version-age.ts'

/** A metrics post as far as scores read it. */
export interface MetricsPost {
  /** Who measured: `content.address`. */
  observer: string
  /** `content.time`, epoch seconds. */
  time: number
  /** `content.content`. */
  content: unknown
}

/** From the first moment up to the second, which is not in it; epoch seconds. */
export interface ScoringPeriod {
  from: number
  to: number
}

/** Measurements of one node by one observer that count in one period. */
const mostOfNode = 2_000
const mostHashCharacters = 128

/** The period that a moment (epoch seconds) is in. */
export function scoringPeriodAt(time: number, { periodSeconds }: ScoringPolicy): ScoringPeriod {
  const from = Math.floor(time / periodSeconds) * periodSeconds
  return { from, to: from + periodSeconds }
}

/**
 * What each observer measured in a period, from its metrics posts (protocol 06 §4.1). Rows without a node or a time,
 * and posts that came too late, do not count; a probe that is no number failed.
 */
export function readObservations(
  posts: readonly MetricsPost[],
  period: ScoringPeriod,
  policy: ScoringPolicy,
): Observations[] {
  const observations = new Map<
    string,
    { core: Map<string, CoreNodeMeasurement[]>; compute: Map<string, ComputeNodeMeasurement[]> }
  >()
  const inOrder = [...posts].sort((a, b) => a.time - b.time)
  for (const { observer, time, content } of inOrder) {
    if (time >= period.to + policy.graceSeconds) continue
    const of = observations.get(observer) ?? { core: new Map(), compute: new Map() }
    observations.set(observer, of)
    const metrics = isObject(content) && isObject(content.metrics) ? content.metrics : {}
    for (const row of rowsOf(metrics.ccn, period)) add(of.core, row.node_id, coreMeasurement(row, policy))
    for (const row of rowsOf(metrics.crn, period))
      add(of.compute, row.node_id, computeMeasurement(row, policy))
  }
  return [...observations].map(([observer, { core, compute }]) => ({
    observer,
    coreNodes: core,
    computeNodes: compute,
  }))
}

interface Row extends Record<string, unknown> {
  node_id: string
  measured_at: number
}

function coreMeasurement(row: Row, { releases }: ScoringPolicy): CoreNodeMeasurement {
  return {
    asn: number(row.asn),
    version: versionAge(text(row.version), row.measured_at, releases.core),
    baseLatency: number(row.base_latency),
    metricsLatency: number(row.metrics_latency),
    aggregateLatency: number(row.aggregate_latency),
    fileDownloadLatency: number(row.file_download_latency),
    ethHeightRemaining: number(row.eth_height_remaining),
  }
}

function computeMeasurement(row: Row, { releases }: ScoringPolicy): ComputeNodeMeasurement {
  return {
    asn: number(row.asn),
    version: versionAge(text(row.version), row.measured_at, releases.compute),
    baseLatency: number(row.base_latency),
    diagnosticVmLatency: number(row.diagnostic_vm_latency),
    fullCheckLatency: number(row.full_check_latency),
  }
}

function rowsOf(rows: unknown, { from, to }: ScoringPeriod): Row[] {
  if (!Array.isArray(rows)) return []
  return rows.filter(
    (row): row is Row =>
      isObject(row) &&
      typeof row.node_id === 'string' &&
      row.node_id.length <= mostHashCharacters &&
      typeof row.measured_at === 'number' &&
      row.measured_at >= from &&
      row.measured_at < to,
  )
}

function add<T>(nodes: Map<string, T[]>, node: string, measurement: T): void {
  const measurements = nodes.get(node)
  if (!measurements) nodes.set(node, [measurement])
  else if (measurements.length < mostOfNode) measurements.push(measurement)
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
