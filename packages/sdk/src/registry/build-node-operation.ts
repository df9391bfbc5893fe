import { registryPostType } from '@aleph-ts/protocol'
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

/** A tag that the registries of all networks read. */
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
  const postType = operation.action === 'amend' ? 'amend' : registryPostType
  const ref = 'node' in operation ? { ref: operation.node } : {}
  return buildPost({ postType, ...ref, content: operationContent(operation) }, options)
}

/** The content of the post. */
export function operationContent(operation: NodeOperation): {
  action: string
  tags: string[]
  details?: Record<string, unknown>
} {
  const action = actionOf(operation)
  const type = operation.action === 'create-resource-node' ? { type: 'compute' } : {}
  const details = 'details' in operation ? { details: { ...operation.details, ...type } } : {}
  return { action, tags: [action, networkTag], ...details }
}

/** Whoever reads an amended post under its first hash sees the content of the amend, so it repeats the first action. */
function actionOf(operation: NodeOperation): string {
  if (operation.action !== 'amend') return operation.action
  return operation.type === 'core' ? 'create-node' : 'create-resource-node'
}
