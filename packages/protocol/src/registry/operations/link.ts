import { unlinkComputeNode } from '../nodes.ts'
import type { OperationEvent } from '../registry-event.ts'
import type { RegisteredComputeNode, RegistryState } from '../registry-state.ts'
import { type Ignored, ignored, type Operation } from './operation.ts'

/** The owner of a core node takes a compute node under it; a locked one refuses. */
export const link: Operation = (state, event, policy) => {
  const parent = state.coreNodes.get(state.coreNodeOf.get(event.address) ?? '')
  if (!parent) return ignored('owns_no_core_node', `${event.address} owns no core node`)
  const node = findComputeNode(state, event)
  if ('reason' in node) return node
  if (node.parent !== null) return ignored('already_linked', `${node.hash} is linked to ${node.parent}`)
  if (node.locked) return ignored('locked', `${node.hash} is locked by its owner`)
  if (parent.resourceNodes.length >= policy.maxLinked) {
    return ignored('links_full', `${parent.hash} has ${policy.maxLinked} compute nodes already`)
  }
  node.parent = parent.hash
  parent.resourceNodes.push(node.hash)
  return null
}

/** Either side may end a link. */
export const unlink: Operation = (state, event) => {
  const node = findComputeNode(state, event)
  if ('reason' in node) return node
  if (node.parent === null) return ignored('not_linked', `${node.hash} is not linked`)
  if (node.owner !== event.address && state.coreNodeOf.get(event.address) !== node.parent) {
    return ignored('not_owner', `${event.address} owns neither ${node.hash} nor its core node`)
  }
  unlinkComputeNode(state, node)
  return null
}

function findComputeNode(
  { computeNodes }: RegistryState,
  { ref }: OperationEvent,
): RegisteredComputeNode | Ignored {
  return computeNodes.get(ref ?? '') ?? ignored('unknown_node', `${ref ?? 'no ref'}: no compute node`)
}
