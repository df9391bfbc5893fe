import {
  type ComputeNodeMeasurement,
  type CoreNodeMeasurement,
  median,
  type VersionAge,
  versionAges,
} from './measurements.ts'
import {
  allProbes,
  decentralizationScore,
  type NodeRating,
  rateComputeNode,
  rateCoreNode,
  type ScoreProbes,
} from './node-score.ts'

/** What one observer measured in a period, by node hash. */
export interface Observations {
  observer: string
  coreNodes: ReadonlyMap<string, readonly CoreNodeMeasurement[]>
  computeNodes: ReadonlyMap<string, readonly ComputeNodeMeasurement[]>
}

/** The score of a node in an `aleph-scoring-scores` post, with what each observer found. */
export interface NetworkScore {
  node_id: string
  total_score: number
  performance: number
  version: number
  decentralization: number
  /** What goes into the score: of every factor the median, and how many nodes and versions were counted. */
  measurements: Record<string, number>
  observers: { observer: string; rating: NodeRating }[]
}

/**
 * Scores of all nodes: of every observer's ratings the median, so that a minority of observers can neither lift nor
 * sink a node. An observer that has no measurement of a node says nothing about it; a node that nobody measured has no
 * score.
 */
export function networkScores(
  observations: readonly Observations[],
  probes: ScoreProbes = allProbes,
): {
  ccn: NetworkScore[]
  crn: NetworkScore[]
} {
  return {
    ccn: scoresOf(observations, (each) => each.coreNodes, rateCoreNode),
    crn: scoresOf(
      observations,
      (each) => each.computeNodes,
      (each) => rateComputeNode(each, probes),
    ),
  }
}

function scoresOf<T extends { asn: number | null; version: VersionAge }>(
  observations: readonly Observations[],
  nodesOf: (observations: Observations) => ReadonlyMap<string, readonly T[]>,
  rate: (measurements: readonly T[]) => NodeRating,
): NetworkScore[] {
  const systems = systemOfNodes(observations.map(nodesOf))
  return [...systems.keys()].sort().map((node): NetworkScore => {
    const observers = observations.flatMap((each) => {
      const measurements = nodesOf(each).get(node) ?? []
      return measurements.length === 0 ? [] : { observer: each.observer, rating: rate(measurements) }
    })
    const of = (read: (rating: NodeRating) => number) => median(observers.map(({ rating }) => read(rating)))
    const system = systems.get(node)!
    const neighbours =
      system === null ? systems.size : [...systems.values()].filter((each) => each === system).length
    return {
      node_id: node,
      total_score: of((rating) => rating.total),
      performance: of((rating) => rating.performance),
      version: of((rating) => rating.version),
      decentralization: decentralizationScore(neighbours, systems.size),
      measurements: {
        total_nodes: systems.size,
        nodes_with_identical_asn: neighbours,
        ...medianFactors(observers.map(({ rating }) => rating)),
        ...versionCounts(observations.flatMap((each) => nodesOf(each).get(node) ?? [])),
      },
      observers,
    }
  })
}

/** The autonomous system of every measured node: the one that most measurements name. */
function systemOfNodes<T extends { asn: number | null }>(
  maps: readonly ReadonlyMap<string, readonly T[]>[],
): Map<string, number | null> {
  const votes = new Map<string, Map<number | null, number>>()
  for (const map of maps) {
    for (const [node, measurements] of map) {
      if (measurements.length === 0) continue
      const ofNode = votes.get(node) ?? new Map<number | null, number>()
      votes.set(node, ofNode)
      for (const { asn } of measurements) ofNode.set(asn, (ofNode.get(asn) ?? 0) + 1)
    }
  }
  return new Map([...votes].map(([node, ofNode]) => [node, mostVoted(ofNode)]))
}

function mostVoted(votes: Map<number | null, number>): number | null {
  const sorted = [...votes].sort(([a, m], [b, n]) => n - m || (a ?? -1) - (b ?? -1))
  return sorted[0]![0]
}

/** Of every factor, and of what is published beside them, the median. */
function medianFactors(ratings: readonly NodeRating[]): Record<string, number> {
  const values = ratings.map(({ factors, unused }) => [...factors, ...unused])
  const names = values[0]?.map(({ name }) => name) ?? []
  return Object.fromEntries(
    names.map((name, index) => [name, median(values.map((ofRating) => ofRating[index]!.value))]),
  )
}

function versionCounts(measurements: readonly { version: VersionAge }[]): Record<string, number> {
  return Object.fromEntries(
    versionAges.map((age) => [
      `node_version_${age}`,
      measurements.filter(({ version }) => version === age).length,
    ]),
  )
}
