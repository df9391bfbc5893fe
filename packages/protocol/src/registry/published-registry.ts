import type { RegisteredComputeNode, RegisteredCoreNode, RegistryState } from './registry-state.ts'

const unit = 1e18

/**
 * The content of the `corechannel` aggregate (protocol 06 §2.7). Compute nodes always have `parent`, core nodes never:
 * readers tell them apart by it.
 */
export function publishedRegistry({ coreNodes, computeNodes }: RegistryState) {
  return {
    nodes: [...coreNodes.values()].map(publishedCoreNode),
    resource_nodes: [...computeNodes.values()].map(publishedComputeNode),
  }
}

function publishedCoreNode(node: RegisteredCoreNode) {
  return {
    ...publishedFields(node),
    status: node.status,
    stakers: Object.fromEntries([...node.stakers].map(([address, stake]) => [address, stake / unit])),
    total_staked: node.totalStaked / unit,
    resource_nodes: node.resourceNodes,
    has_bonus: node.hasBonus,
  }
}

function publishedComputeNode(node: RegisteredComputeNode) {
  return {
    ...publishedFields(node),
    type: node.type,
    status: node.parent === null ? ('waiting' as const) : ('linked' as const),
    parent: node.parent,
  }
}

function publishedFields(node: RegisteredCoreNode | RegisteredComputeNode) {
  return {
    hash: node.hash,
    owner: node.owner,
    name: node.name,
    multiaddress: node.multiaddress,
    address: node.address,
    picture: node.picture,
    banner: node.banner,
    description: node.description,
    reward: node.reward,
    stream_reward: node.stream_reward,
    manager: node.manager,
    authorized: node.authorized,
    locked: node.locked,
    registration_url: node.registration_url,
    terms_and_conditions: node.terms_and_conditions,
    time: node.time,
    score: node.score,
    performance: node.performance,
    decentralization: node.decentralization,
    score_updated: node.scoreUpdated,
    inactive_since: node.inactiveSince,
  }
}
