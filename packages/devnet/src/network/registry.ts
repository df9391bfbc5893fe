import type { AlephClient, EthereumAccount } from '@aleph-ts/sdk'

/** A core node as its operator registers it. */
export interface CoreNodeEntry {
  hash: string
  owner: string
  name: string
  multiaddress: string
  url: string
}

/** A compute node as its operator registers it, linked to a core node. */
export interface ComputeNodeEntry {
  hash: string
  owner: string
  name: string
  url: string
  /** Hash of the core node it is linked to. */
  parent: string
}

const registryChannel = 'FOUNDATION'
const registryTag = 'devnet'
const devnetStake = 500_000
const devnetScore = 1

/**
 * Publishes the post by which an operator registers a node; its item hash is the node's identity for ever
 * (protocol 06 §2.1).
 */
export async function registerNode(
  client: AlephClient,
  account: EthereumAccount,
  action: 'create-node' | 'create-resource-node',
  details: Record<string, string>,
): Promise<string> {
  const post = await client.publishPost({
    account,
    type: 'corechan-operation',
    content: { action, tags: [action, registryTag], details },
    channel: registryChannel,
  })
  return post.item_hash
}

/** The `corechannel` aggregate: who is who in the network, and who is linked to whom (protocol 06 §2.7). */
export function corechannelContent(coreNodes: CoreNodeEntry[], computeNodes: ComputeNodeEntry[], time: number) {
  const shared = {
    locked: false,
    authorized: [] as string[],
    manager: '',
    picture: '',
    banner: '',
    description: '',
    stream_reward: '',
    registration_url: '',
    terms_and_conditions: '',
    time,
    score: devnetScore,
    performance: devnetScore,
    decentralization: devnetScore,
    score_updated: true,
    inactive_since: null,
  }
  return {
    nodes: coreNodes.map((node) => ({
      ...shared,
      hash: node.hash,
      owner: node.owner,
      reward: node.owner,
      name: node.name,
      multiaddress: node.multiaddress,
      address: node.url,
      status: 'active',
      stakers: { [node.owner]: devnetStake },
      total_staked: devnetStake,
      has_bonus: false,
      resource_nodes: computeNodes.filter((each) => each.parent === node.hash).map((each) => each.hash),
    })),
    resource_nodes: computeNodes.map((node) => ({
      ...shared,
      hash: node.hash,
      type: 'compute',
      owner: node.owner,
      reward: node.owner,
      name: node.name,
      multiaddress: '',
      address: node.url,
      status: 'linked',
      parent: node.parent,
    })),
  }
}
