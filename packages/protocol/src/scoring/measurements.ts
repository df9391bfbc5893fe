/** How old the version of a node was when it was measured (protocol 06 §4.2). */
export const versionAges = ['latest', 'prerelease', 'outdated', 'obsolete', 'other', 'missing'] as const
export type VersionAge = (typeof versionAges)[number]

/** One measurement of a node by one observer. Latencies in seconds; null: the probe failed. */
interface NodeMeasurement {
  /** Autonomous system the node is in; null when unknown. */
  asn: number | null
  version: VersionAge
  baseLatency: number | null
}

export interface ComputeNodeMeasurement extends NodeMeasurement {
  diagnosticVmLatency: number | null
  fullCheckLatency: number | null
}

export interface CoreNodeMeasurement extends NodeMeasurement {
  metricsLatency: number | null
  aggregateLatency: number | null
  fileDownloadLatency: number | null
  /** Ethereum blocks that the node has not read yet. */
  ethHeightRemaining: number | null
}

/**
 * The value below which a share of the values lies, taken from the values themselves; a failed probe counts as 100 s,
 * or as another value. Null when there are none.
 */
export function percentile(
  values: readonly (number | null)[],
  share: number,
  failed = failedSeconds,
): number | null {
  if (values.length === 0) return null
  const sorted = values.map((value) => value ?? failed).sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}

const failedSeconds = 100

/** The middle of what observers say: one of them alone cannot move it. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
