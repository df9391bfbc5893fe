import { addressHost, claimHost, multiaddressHost } from '../node-addresses.ts'
import { profileFrom } from '../node-profile.ts'
import { keeps, removeAllStakes } from '../stakes.ts'
import { ignored, type Operation } from './operation.ts'

const unscored = { score: 0, performance: 0, decentralization: 0, scoreUpdated: false, inactiveSince: null }

/** Registers a core node: one an address, and the address must keep the threshold. */
export const createNode: Operation = (state, event, policy) => {
  const { address: owner, itemHash: hash, details, time, height } = event
  if (state.coreNodeOf.has(owner)) return ignored('owns_core_node', `${owner} owns a core node already`)
  if (!keeps(state, owner, policy.nodeThreshold)) {
    return ignored('balance_too_low', `${owner} keeps less than ${policy.nodeThreshold} ALEPH`)
  }
  const profile = profileFrom(details, null, owner)
  removeAllStakes(state, owner, policy)
  state.coreNodes.set(hash, {
    ...profile,
    ...unscored,
    hash,
    owner,
    time,
    multiaddress: claimHost(state.coreHosts, hash, profile.multiaddress, multiaddressHost, policy),
    authorized: [],
    status: policy.nodeActivation > 0 ? 'waiting' : 'active',
    resourceNodes: [],
    stakers: new Map(),
    totalStaked: 0,
    hasBonus: height < policy.bonusUntilHeight,
  })
  state.coreNodeOf.set(owner, hash)
  return null
}

/** Registers a compute node: free, and as many as one likes. */
export const createResourceNode: Operation = (state, event, policy) => {
  const { address: owner, itemHash: hash, details, time } = event
  const { type } = details
  if (typeof type !== 'string' || type === '') return ignored('no_type', 'details.type: required')
  const profile = profileFrom(details, null, owner)
  state.computeNodes.set(hash, {
    ...profile,
    ...unscored,
    hash,
    owner,
    time,
    type,
    address: claimHost(state.computeHosts, hash, profile.address, addressHost, policy),
    parent: null,
  })
  return null
}
