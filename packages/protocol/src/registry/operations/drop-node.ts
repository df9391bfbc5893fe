import { dropComputeNode, dropCoreNode } from '../nodes.ts'
import { ignored, type Operation } from './operation.ts'

/** An owner takes a node of its own out of the registry. */
export const dropNode: Operation = (state, { address, ref }, policy) => {
  const node = state.coreNodes.get(ref ?? '') ?? state.computeNodes.get(ref ?? '')
  if (!node) return ignored('unknown_node', `${ref ?? 'no ref'}: no node`)
  if (node.owner !== address) return ignored('not_owner', `${address} does not own ${node.hash}`)
  if ('resourceNodes' in node) dropCoreNode(state, node, policy)
  else dropComputeNode(state, node)
  return null
}
