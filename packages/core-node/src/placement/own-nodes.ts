import { addressKey, type ComputeNode, type CorechannelAggregate } from '@aleph-ts/protocol'
import { peerIdOf } from '../gossip/peer-address.ts'
import type { Assignment } from './plan.ts'
import { type NodePlan, planListOf } from './plan-pusher.ts'

/** Hash of the registered core node that a process is, by its operator and, of several, by its libp2p id. */
export function ownCoreNode(
  { nodes }: CorechannelAggregate,
  { address, peerId }: { address: string; peerId: string },
): string | null {
  const owner = addressKey('ETH', address)
  const owned = nodes.filter((node) => addressKey('ETH', node.owner) === owner)
  const byPeerId = owned.find((node) => peerIdOf(node.multiaddress) === peerId)
  return (byPeerId ?? (owned.length === 1 ? owned[0] : undefined))?.hash ?? null
}

/** Compute nodes linked to these core nodes that can be reached by HTTP. */
export function ownComputeNodes(
  { resource_nodes }: CorechannelAggregate,
  coreNodes: ReadonlySet<string>,
): ComputeNode[] {
  return resource_nodes.filter(
    ({ parent, address }) => parent !== null && coreNodes.has(parent) && /^https?:\/\//.test(address),
  )
}

/** The whole plan of each compute node, by its URL. */
export function nodePlans(
  nodes: readonly ComputeNode[],
  assignments: Iterable<Assignment>,
): Map<string, NodePlan> {
  const plans = new Map<string, NodePlan>()
  const planOf = new Map<string, NodePlan>()
  for (const node of nodes) {
    const empty: NodePlan = { persistent_vms: [], instances: [], on_demand_vms: [], v_programs: [] }
    plans.set(node.address, empty)
    planOf.set(node.hash, empty)
  }
  for (const { workload, computeNode } of assignments) {
    planOf.get(computeNode)?.[planListOf[workload.kind]].push(workload.hash)
  }
  return plans
}
