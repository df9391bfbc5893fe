import type { ComputeNode, CorechannelAggregate, CoreNode } from '../aggregates/corechannel.ts'
import { maxWeight, nodeWeight } from './node-weight.ts'
import { rankNodes } from './rendezvous.ts'
import type { VmRequirements } from './vm-requirements.ts'

/** Why a compute node cannot take a VM; stable, shown to users (protocol 06 §8.3). */
export type PlacementReason =
  | 'not_linked'
  | 'core_node_inactive'
  | 'score_too_low'
  | 'node_pinned'
  | 'node_owner'
  | 'address_regex'
  | 'terms_and_conditions'
  | 'payment_receiver'

export interface PlacementCandidate {
  /** Hash of a core node. */
  coreNode: string
  /** Hashes of its compute nodes that may take the VM, best first; never empty. */
  computeNodes: string[]
}

export interface Placed {
  coreNode: string
  computeNode: string
  /** Core nodes in the order in which they may claim the VM (protocol 06 §8.5). */
  rankedCoreNodes: string[]
  /** The whole ranking, for when the first choice refuses. */
  candidates: PlacementCandidate[]
}

/** For every reason, how many compute nodes failed on it first; empty when the registry has no compute nodes. */
export interface Unschedulable {
  unschedulable: Record<string, number>
}

export interface PlacementOptions {
  /**
   * A further reason against a compute node (health, capacity, blacklist), or null. Core nodes agree on a placement
   * only as far as they agree on this.
   */
  refuse?(node: ComputeNode): string | null
}

/**
 * Assigns a VM to a core node and one of its compute nodes (protocol 06 §8.2 and §8.3): everybody with the same
 * registry computes the same answer.
 *
 * @param vmHash item hash of the PROGRAM, INSTANCE or V-PROGRAM message.
 * @example
 * ```ts
 * const placement = placeVm(hash, vmRequirements(content), corechannel)
 * if ('unschedulable' in placement) console.log('nowhere to run:', placement.unschedulable)
 * else console.log(placement.coreNode, placement.computeNode)
 * ```
 */
export function placeVm(
  vmHash: string,
  requirements: VmRequirements,
  corechannel: CorechannelAggregate,
  options: PlacementOptions = {},
): Placed | Unschedulable {
  const weightOf = weighing(corechannel)
  const coreNodes = new Map(corechannel.nodes.map((node) => [node.hash, node]))
  const unschedulable: Record<string, number> = {}
  const eligible = new Map<string, ComputeNode[]>()

  for (const node of corechannel.resource_nodes) {
    const parent = coreNodes.get(node.parent ?? '')
    const reason =
      topologyReason(node, parent, weightOf) ?? demandReason(node, requirements) ?? options.refuse?.(node)
    if (reason != null || parent === undefined) {
      const key = reason ?? 'not_linked'
      unschedulable[key] = (unschedulable[key] ?? 0) + 1
      continue
    }
    eligible.set(parent.hash, [...(eligible.get(parent.hash) ?? []), node])
  }

  const weighted = (node: CoreNode | ComputeNode) => ({ hash: node.hash, weight: weightOf(node) })
  const parents = [...eligible.keys()].map((hash) => weighted(coreNodes.get(hash)!))
  const candidates = rankNodes('ccn', vmHash, parents).map(({ hash }) => ({
    coreNode: hash,
    computeNodes: rankNodes('crn', vmHash, eligible.get(hash)!.map(weighted)).map((node) => node.hash),
  }))
  const [first] = candidates
  if (first === undefined) return { unschedulable }
  return {
    coreNode: first.coreNode,
    computeNode: first.computeNodes[0]!,
    rankedCoreNodes: candidates.map((candidate) => candidate.coreNode),
    candidates,
  }
}

/** A network nobody has scored yet would otherwise have no eligible node at all. */
function weighing(corechannel: CorechannelAggregate): (node: { score: number }) => number {
  const scored = [...corechannel.nodes, ...corechannel.resource_nodes].some((node) => node.score > 0)
  return scored ? (node) => nodeWeight(node.score) : () => maxWeight
}

function topologyReason(
  node: ComputeNode,
  parent: CoreNode | undefined,
  weightOf: (node: { score: number }) => number,
): PlacementReason | null {
  if (node.status !== 'linked' || parent === undefined) return 'not_linked'
  if (parent.status !== 'active') return 'core_node_inactive'
  if (weightOf(parent) === 0 || weightOf(node) === 0) return 'score_too_low'
  return null
}

function demandReason(node: ComputeNode, demand: VmRequirements): PlacementReason | null {
  const pinned = demand.nodeHash !== null
  if (pinned && node.hash !== demand.nodeHash) return 'node_pinned'
  if (demand.nodeOwner !== null && !sameAddress(node.owner, demand.nodeOwner)) return 'node_owner'
  // A stranger's pattern can take for ever to match, so it is never run: such a VM fits no node.
  if (demand.addressPattern !== null) return 'address_regex'
  if (!acceptsTerms(node, demand, pinned)) return 'terms_and_conditions'
  if (demand.streamReceiver !== null && !sameAddress(node.stream_reward, demand.streamReceiver)) {
    return 'payment_receiver'
  }
  return null
}

/** A node with terms gets a VM only from somebody who chose the node or named its terms. */
function acceptsTerms(node: ComputeNode, demand: VmRequirements, pinned: boolean): boolean {
  if (demand.termsAndConditions !== null) return node.terms_and_conditions === demand.termsAndConditions
  return pinned || node.terms_and_conditions === ''
}

function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
