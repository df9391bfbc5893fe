import type { ComputeNode, CorechannelAggregate, CoreNode } from '../aggregates/corechannel.ts'
import { type CapabilityReason, capabilityReason } from './capability-reason.ts'
import type { CapacityLedger, CapacityReason } from './capacity-ledger.ts'
import type { CapacityReport } from './capacity-report.ts'
import { maxWeight, nodeWeight } from './node-weight.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { rankNodes } from './rendezvous.ts'
import type { VmRequirements } from './vm-requirements.ts'

/**
 * Why a compute node cannot take a VM; stable, shown to users, and looked for in the order of protocol 06 §8.3. What
 * only one core node knows of a compute node comes last: what all can see counts alike for all.
 */
export type PlacementReason =
  | 'not_linked'
  | 'core_node_inactive'
  | 'score_too_low'
  | 'node_pinned'
  | 'node_owner'
  | 'address_regex'
  | 'terms_and_conditions'
  | 'payment_chain'
  | 'blacklist'
  | CapabilityReason
  | CapacityReason

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
  /** Newest capacity report by node hash; without, what nodes can carry is not looked at. */
  reports?: ReadonlyMap<string, CapacityReport>
  /** What other VMs take. */
  ledger?: CapacityLedger
  /** What the network asks of compute nodes; without, nothing. */
  policy?: PlacementPolicy
  /**
   * A further reason against a compute node (health, refusals), or null. Core nodes agree on a placement only as far
   * as they agree on this.
   */
  refuse?(node: ComputeNode): string | null
}

/** Why a compute node was passed over for a VM, or that it may take it. */
export interface NodeVerdict {
  computeNode: string
  coreNode: string | null
  reason: string | null
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
  const topology = topologyOf(corechannel)
  const reasons = topology.nodes.map(
    ({ node, reason }) => reason ?? demandReason(node, requirements, options),
  )
  return placeVmAmong(vmHash, topology, reasons, options.refuse)
}

/** For every compute node of the registry, why a VM cannot run there, or null where it can. */
export function explainPlacement(
  requirements: VmRequirements,
  corechannel: CorechannelAggregate,
  options: PlacementOptions = {},
): NodeVerdict[] {
  return topologyOf(corechannel).nodes.map(({ node, reason }) => ({
    computeNode: node.hash,
    coreNode: node.parent,
    reason: reason ?? demandReason(node, requirements, options) ?? options.refuse?.(node) ?? null,
  }))
}

/** A registry prepared for many placements. */
export interface Topology {
  /** Every compute node, with why it takes no VM at all. */
  nodes: { node: ComputeNode; reason: PlacementReason | null }[]
  coreNodes: ReadonlyMap<string, CoreNode>
  weightOf(node: { score: number }): number
}

export function topologyOf(corechannel: CorechannelAggregate): Topology {
  const weightOf = weighing(corechannel)
  const coreNodes = new Map(corechannel.nodes.map((node) => [node.hash, node]))
  const nodes = corechannel.resource_nodes.map((node) => ({
    node,
    reason: topologyReason(node, coreNodes.get(node.parent ?? ''), weightOf),
  }))
  return { nodes, coreNodes, weightOf }
}

/**
 * {@link placeVm} in a registry that was prepared once.
 *
 * @param reasons why the compute nodes of the topology cannot take the VM, or null, in their order
 */
export function placeVmAmong(
  vmHash: string,
  { nodes, coreNodes, weightOf }: Topology,
  reasons: readonly (string | null)[],
  refuse: PlacementOptions['refuse'],
): Placed | Unschedulable {
  const unschedulable: Record<string, number> = {}
  const eligible = new Map<string, ComputeNode[]>()
  for (const [index, { node }] of nodes.entries()) {
    const reason = reasons[index] ?? refuse?.(node) ?? null
    if (reason !== null) {
      unschedulable[reason] = (unschedulable[reason] ?? 0) + 1
      continue
    }
    const siblings = eligible.get(node.parent!)
    if (siblings) siblings.push(node)
    else eligible.set(node.parent!, [node])
  }

  const weighted = (node: CoreNode | ComputeNode) => ({ hash: node.hash, weight: weightOf(node) })
  const parents = [...eligible.keys()].map((hash) => weighted(coreNodes.get(hash)!))
  const rankOf = (coreNode: string) =>
    rankNodes('crn', vmHash, eligible.get(coreNode)!.map(weighted)).map((node) => node.hash)
  const candidates = rankNodes('ccn', vmHash, parents).map(({ hash }) => candidate(hash, rankOf))
  const [first] = candidates
  if (first === undefined) return { unschedulable }
  return {
    coreNode: first.coreNode,
    computeNode: first.computeNodes[0]!,
    rankedCoreNodes: candidates.map((each) => each.coreNode),
    candidates,
  }
}

/** Most core nodes are never asked which of their compute nodes comes first, and ranking takes time. */
function candidate(coreNode: string, rank: (coreNode: string) => string[]): PlacementCandidate {
  let ranked: string[] | undefined
  return {
    coreNode,
    get computeNodes() {
      ranked ??= rank(coreNode)
      return ranked
    },
  }
}

/** A network nobody has scored yet would otherwise have no eligible node at all. */
function weighing(corechannel: CorechannelAggregate): (node: { score: number }) => number {
  const scored = [...corechannel.nodes, ...corechannel.resource_nodes].some((node) => node.score > 0)
  if (!scored) return () => maxWeight
  const weights = new Map<number, number>()
  return ({ score }) => {
    const weight = weights.get(score) ?? nodeWeight(score)
    weights.set(score, weight)
    return weight
  }
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

/** Why a compute node cannot take any VM with such a demand now; null when it can. */
export function demandReason(
  node: ComputeNode,
  demand: VmRequirements,
  { reports, ledger, policy }: Omit<PlacementOptions, 'refuse'>,
): PlacementReason | null {
  const lasting =
    ownerReason(node, demand) ?? (reports ? capabilityReason(reports.get(node.hash), demand, policy) : null)
  if (lasting !== null) return lasting
  const room = ledger?.refusal(node.hash, demand) ?? null
  if (room === 'gpu') return room
  return (
    contractReason(node, demand, policy) ?? room ?? (policy?.blacklist.has(node.hash) ? 'blacklist' : null)
  )
}

function ownerReason(node: ComputeNode, demand: VmRequirements): PlacementReason | null {
  if (demand.nodeHash !== null && node.hash !== demand.nodeHash) return 'node_pinned'
  if (demand.nodeOwner !== null && !sameAddress(node.owner, demand.nodeOwner)) return 'node_owner'
  // A stranger's pattern can take for ever to match, so it is never run: such a VM fits no node.
  return demand.addressPattern === null ? null : 'address_regex'
}

function contractReason(
  node: ComputeNode,
  demand: VmRequirements,
  policy: PlacementPolicy | undefined,
): PlacementReason | null {
  if (!acceptsTerms(node, demand)) return 'terms_and_conditions'
  const { streamReceiver, streamChain } = demand
  const isSeen = streamChain === null || policy === undefined || policy.streamChains.has(streamChain)
  const isReceiver = streamReceiver === null || sameAddress(node.stream_reward, streamReceiver)
  return isSeen && isReceiver ? null : 'payment_chain'
}

/** A node with terms gets a VM only from somebody who chose the node or named its terms. */
function acceptsTerms(node: ComputeNode, demand: VmRequirements): boolean {
  if (demand.termsAndConditions !== null) return node.terms_and_conditions === demand.termsAndConditions
  return demand.nodeHash !== null || node.terms_and_conditions === ''
}

function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
