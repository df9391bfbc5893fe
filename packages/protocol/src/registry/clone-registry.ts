import type { RegisteredComputeNode, RegisteredCoreNode, RegistryState } from './registry-state.ts'

/** A copy to which events can be applied while the original stays as it is. */
export function cloneRegistry(state: RegistryState): RegistryState {
  return {
    coreNodes: copied(state.coreNodes, cloneCoreNode),
    computeNodes: copied(state.computeNodes, (node): RegisteredComputeNode => ({ ...node })),
    coreNodeOf: new Map(state.coreNodeOf),
    stakesOf: copied(state.stakesOf, (hashes) => [...hashes]),
    coreHosts: new Map(state.coreHosts),
    computeHosts: new Map(state.computeHosts),
    platformBalances: copied(state.platformBalances, (balances) => new Map(balances)),
    balances: new Map(state.balances),
    lastScoreHeight: state.lastScoreHeight,
  }
}

function cloneCoreNode(node: RegisteredCoreNode): RegisteredCoreNode {
  return { ...node, resourceNodes: [...node.resourceNodes], stakers: new Map(node.stakers) }
}

function copied<V>(map: ReadonlyMap<string, V>, copy: (value: V) => V): Map<string, V> {
  const result = new Map<string, V>()
  for (const [key, value] of map) result.set(key, copy(value))
  return result
}
