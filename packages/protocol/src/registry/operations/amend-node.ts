import { addressKey } from '../../identity/address-key.ts'
import { addressHost, claimHost, multiaddressHost } from '../node-addresses.ts'
import { profileFrom } from '../node-profile.ts'
import { ignored, type Operation } from './operation.ts'

/** An owner, or the manager it named, changes what a node says of itself. */
export const amendNode: Operation = (state, { address, ref, details }, policy) => {
  const core = state.coreNodes.get(ref ?? '')
  const node = core ?? state.computeNodes.get(ref ?? '')
  if (!node) return ignored('unknown_node', `${ref ?? 'no ref'}: no node`)
  if (node.owner !== address && addressKey('ETH', node.manager ?? '') !== address) {
    return ignored('not_owner', `${address} neither owns nor manages ${node.hash}`)
  }
  const profile = profileFrom(details, node, node.owner)
  if (core) {
    const { multiaddress } = profile
    profile.multiaddress = claimHost(state.coreHosts, node.hash, multiaddress, multiaddressHost, policy)
  } else {
    profile.address = claimHost(state.computeHosts, node.hash, profile.address, addressHost, policy)
  }
  Object.assign(node, profile)
  return null
}
