import { sha256Hex } from '../hash/sha256.ts'

export type PlacementLevel = 'ccn' | 'crn'

/**
 * The rank of a node for a VM: 64 hex digits, the greatest first (protocol 06 §8.2).
 *
 * The best of `weight` hashes, so the chance to be first is exactly proportional to the weight, and a node that
 * joins or leaves moves only its own share.
 */
export function rendezvousRank(
  level: PlacementLevel,
  vmHash: string,
  nodeHash: string,
  weight: number,
): string {
  const prefix = `aleph-sched/1/${level}\n${vmHash}\n${nodeHash}\n`
  let best = ''
  for (let k = 0; k < weight; k++) {
    const hash = sha256Hex(prefix + k)
    if (hash > best) best = hash
  }
  return best
}

export interface WeightedNode {
  hash: string
  weight: number
}

/** Nodes in the order in which they are offered a VM; those of weight 0 are left out. */
export function rankNodes<N extends WeightedNode>(
  level: PlacementLevel,
  vmHash: string,
  nodes: readonly N[],
): N[] {
  return nodes
    .filter((node) => node.weight > 0)
    .map((node) => ({ node, rank: rendezvousRank(level, vmHash, node.hash, node.weight) }))
    .sort((a, b) => descending(a.rank, b.rank) || descending(b.node.hash, a.node.hash))
    .map(({ node }) => node)
}

/** Plain code unit order: every node must sort alike, whatever its locale. */
function descending(a: string, b: string): number {
  if (a === b) return 0
  return a > b ? -1 : 1
}
