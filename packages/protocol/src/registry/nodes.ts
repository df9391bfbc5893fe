import { releaseHost } from './node-addresses.ts'
import type { RegistryPolicy } from './registry-policy.ts'
import type { RegisteredComputeNode, RegisteredCoreNode, RegistryState } from './registry-state.ts'
import { removeStake } from './stakes.ts'

/** Takes a core node out: its stakers get their stakes back, its compute nodes lose their parent. */
export function dropCoreNode(state: RegistryState, node: RegisteredCoreNode, policy: RegistryPolicy): void {
  for (const staker of [...node.stakers.keys()]) removeStake(state, staker, node.hash, policy)
  for (const hash of node.resourceNodes) state.computeNodes.get(hash)!.parent = null
  state.coreNodes.delete(node.hash)
  releaseHost(state.coreHosts, node.hash)
  state.coreNodeOf.delete(node.owner)
}

export function dropComputeNode(state: RegistryState, node: RegisteredComputeNode): void {
  unlinkComputeNode(state, node)
  state.computeNodes.delete(node.hash)
  releaseHost(state.computeHosts, node.hash)
}

export function unlinkComputeNode(state: RegistryState, node: RegisteredComputeNode): void {
  if (node.parent === null) return
  const parent = state.coreNodes.get(node.parent)!
  parent.resourceNodes = parent.resourceNodes.filter((hash) => hash !== node.hash)
  node.parent = null
}
