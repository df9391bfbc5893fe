import {
  type ComputeNodeMeasurement,
  type CoreNodeMeasurement,
  percentile,
  type VersionAge,
} from './measurements.ts'

/** One of the numbers whose product is the performance of a node. */
export interface ScoreFactor {
  name: string
  /** Seconds; null without measurements. */
  measured: number | null
  /** At this many seconds, and above, the factor is 0. */
  worst: number
  /** 0 to 1. */
  value: number
}

/** How a node did in a period, and why (protocol 06 §4.2). Everything between 0 and 1. */
export interface NodeRating {
  performance: number
  version: number
  /** Square root of performance times version. */
  total: number
  factors: ScoreFactor[]
  /** What is published beside the factors and does not count, 0 to 1. */
  unused: { name: string; value: number }[]
}

/** What a network can measure: not every one has a program that all compute nodes must run. */
export interface ScoreProbes {
  diagnosticProgram: boolean
}

export const allProbes: ScoreProbes = { diagnosticProgram: true }

/** Rates a compute node by one observer's measurements of a period. */
export function rateComputeNode(
  measurements: readonly ComputeNodeMeasurement[],
  { diagnosticProgram }: ScoreProbes = allProbes,
): NodeRating {
  const base = measurements.map((each) => each.baseLatency)
  const answers = [
    factor('base_latency_score_p25', base, 0.25, 2),
    factor('base_latency_score_p95', base, 0.95, 2),
  ]
  if (!diagnosticProgram) return rating(measurements, answers, [])
  const diagnostic = measurements.map((each) => each.diagnosticVmLatency)
  const fullCheck = measurements.map((each) => each.fullCheckLatency)
  return rating(
    measurements,
    [
      ...answers,
      factor('diagnostic_vm_latency_score_p25', diagnostic, 0.25, 2.5),
      factor('full_check_latency_score_p25', fullCheck, 0.25, 4),
    ],
    [
      factor('diagnostic_vm_latency_score_p95', diagnostic, 0.95, 2.5),
      factor('full_check_latency_score_p95', fullCheck, 0.95, 4),
    ],
  )
}

/** Of core nodes the network calls "p95" what is the 80th percentile. */
const highShare = 0.8

/** Rates a core node by one observer's measurements of a period. */
export function rateCoreNode(measurements: readonly CoreNodeMeasurement[]): NodeRating {
  const base = measurements.map((each) => each.baseLatency)
  const metrics = measurements.map((each) => each.metricsLatency)
  const aggregate = measurements.map((each) => each.aggregateLatency)
  const download = measurements.map((each) => each.fileDownloadLatency)
  const blocks = measurements.map((each) => each.ethHeightRemaining)
  return rating(
    measurements,
    [
      factor('base_latency_score_p25', base, 0.25, 2),
      factor('base_latency_score_p95', base, highShare, 4),
      factor('metrics_latency_score_p25', metrics, 0.25, 2.5),
      factor('metrics_latency_score_p95', metrics, highShare, 5),
      factor('aggregate_latency_score_p25', aggregate, 0.25, 4),
      factor('aggregate_latency_score_p95', aggregate, highShare, 8),
    ],
    [
      factor('file_download_latency_score_p25', download, 0.25, 4),
      factor('file_download_latency_score_p95', download, highShare, 8),
      heightScore('eth_height_remaining_score_p25', blocks, 0.25, { start: 1.5, blocks: 100 }),
      heightScore('eth_height_remaining_score_p95', blocks, highShare, { start: 2, blocks: 275 }),
    ],
  )
}

/**
 * How current the software of a node was: the share of measurements with a version that is not too old; 0 when more
 * than a fifth had none at all. A version nobody published counts against the node.
 */
export function versionScore(versions: readonly VersionAge[]): number {
  const count = (age: VersionAge) => versions.filter((each) => each === age).length
  const missing = count('missing')
  if (versions.length === 0 || missing > (versions.length - missing) / 5) return 0
  return (count('latest') + count('outdated') + count('prerelease')) / versions.length
}

/** How alone a node is in its autonomous system: 0 when all nodes are in one (protocol 06 §4.2). */
export function decentralizationScore(nodesInSameSystem: number, nodes: number): number {
  return nodes === 0 ? 0 : (1 - nodesInSameSystem / nodes) ** 2
}

function rating(
  measurements: readonly { version: VersionAge }[],
  factors: ScoreFactor[],
  unused: NodeRating['unused'],
): NodeRating {
  const product = factors.reduce((result, { value }) => result * value, 1)
  const performance = product ** (1 / factors.length)
  const version = versionScore(measurements.map((each) => each.version))
  return { performance, version, total: Math.sqrt(performance * version), factors, unused }
}

function factor(name: string, values: readonly (number | null)[], share: number, worst: number): ScoreFactor {
  const measured = percentile(values, share)
  return { name, measured, worst, value: measured === null ? 0 : Math.max(0, 1 - measured / worst) }
}

/** A node that did not tell counts as this far behind, blocks. */
const failedBlocks = 1_000

/** How far behind the chain a node is: 1 for some blocks, then falling to 0. */
function heightScore(
  name: string,
  values: readonly (number | null)[],
  share: number,
  line: { start: number; blocks: number },
): { name: string; value: number } {
  const measured = percentile(values, share, failedBlocks)
  const value = measured === null ? 0 : Math.min(1, Math.max(0, line.start - measured / line.blocks))
  return { name, value }
}
