import type { BuiltMessage, MessageOptions } from '../message/build-message.ts'
import { buildPost } from '../message/build-post.ts'

/** What an owner writes of a node of its own (protocol 06 §2.1); absent fields keep their value. */
export interface NodeDetails {
  name?: string
  /** Of a core node: where peers reach it, ending in `/p2p/<id>`. */
  multiaddress?: string
  /** URL of its HTTP API. */
  address?: string
  /** Who receives its rewards; by default the owner. */
  reward?: string
  /** Who receives streams that pay for VMs on a compute node. */
  stream_reward?: string
  /** Who may change these fields besides the owner. */
  manager?: string
  description?: string
  /** Hashes of files. */
  picture?: string
  banner?: string
  /** A locked core node takes stakes of `authorized` only, a locked compute node no link. */
  locked?: boolean
  authorized?: string[]
  registration_url?: string
  terms_and_conditions?: string
}

/** One change of the registry of nodes. `node` is the item hash of the post that created the node. */
export type NodeOperation =
  | { action: 'create-node'; details: NodeDetails & { name: string; multiaddress: string } }
  | { action: 'create-resource-node'; details: NodeDetails & { name: string; address: string } }
  | { action: 'link' | 'unlink' | 'drop-node' | 'stake-split' | 'unstake'; node: string }
  | { action: 'amend'; type: 'core' | 'compute'; node: string; details: NodeDetails }

/** Post type and tag of the network's registry; both are read by every node. */
const postType = 'corechan-operation'
const networkTag = 'mainnet'

/**
 * A post by which an operator or a staker changes the registry of nodes (protocol 06 §2.1). The item hash of a
 * creation is the node's identity for ever.
 *
 * @example
 * const details = { name: 'worker', address: 'https://worker.example.org' }
 * buildNodeOperation({ action: 'create-resource-node', details }, { account })
 */
export function buildNodeOperation(operation: NodeOperation, options: MessageOptions): BuiltMessage<'POST'> {
  const { action } = operation
  if (action === 'create-node' || action === 'create-resource-node') {
    const type = action === 'create-resource-node' ? { type: 'compute' } : {}
    const content = { action, tags: tagsOf(action), details: { ...operation.details, ...type } }
    return buildPost({ postType, content }, options)
  }
  if (action === 'amend') {
    // Whoever reads the post under its first hash sees the amended content, so it repeats the first action.
    const created = operation.type === 'core' ? 'create-node' : 'create-resource-node'
    const content = { action: created, tags: tagsOf(created), details: operation.details }
    return buildPost({ postType: 'amend', ref: operation.node, content }, options)
  }
  return buildPost({ postType, ref: operation.node, content: { action, tags: tagsOf(action) } }, options)
}

function tagsOf(action: string): string[] {
  return [action, networkTag]
}
