import { devnetProfile } from '@aleph-ts/protocol'
import type { AlephClient } from '@aleph-ts/sdk'

/** A core node as its operator registered it. */
export interface CoreNodeEntry {
  /** Item hash of its registration: its identity. */
  hash: string
  owner: string
  name: string
  multiaddress: string
  url: string
}

/** A compute node as its operator registered it, linked to a core node. */
export interface ComputeNodeEntry {
  hash: string
  owner: string
  name: string
  url: string
  /** Hash of the core node it is linked to. */
  parent: string
}

const registryChannel = devnetProfile.channels.registry
const registryTag = 'devnet'
const stakeOnEach = 500_000
const scoreOfEach = 1

/**
 * Publishes the post by which an operator registers a node; its item hash is the node's identity for ever
 * (protocol 06 §2.1).
 */
export async function registerNode(
  operator: AlephClient,
  action: 'create-node' | 'create-resource-node',
  details: Record<string, string>,
): Promise<string> {
  const content = { action, tags: [action, registryTag], details }
  const post = await operator.publishPost(
    { postType: 'corechan-operation', content },
    { channel: registryChannel },
  )
  return post.itemHash
}

/** The `corechannel` aggregate: who is who in the network, and who is linked to whom (protocol 06 §2.7). */
export function corechannelContent(
  coreNodes: readonly CoreNodeEntry[],
  computeNodes: readonly ComputeNodeEntry[],
  time: number,
) {
  const common = {
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
    score: scoreOfEach,
    performance: scoreOfEach,
    decentralization: scoreOfEach,
    score_updated: true,
    inactive_since: null,
  }
  return {
    nodes: coreNodes.map((node) => ({
      ...common,
      hash: node.hash,
      owner: node.owner,
      reward: node.owner,
      name: node.name,
      multiaddress: node.multiaddress,
      address: node.url,
      status: 'active',
      stakers: { [node.owner]: stakeOnEach },
      total_staked: stakeOnEach,
      has_bonus: false,
      resource_nodes: computeNodes.filter((each) => each.parent === node.hash).map((each) => each.hash),
    })),
    resource_nodes: computeNodes.map((node) => ({
      ...common,
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
