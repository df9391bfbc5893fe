import { addressKey } from '../../identity/address-key.ts'
import type { OperationEvent } from '../registry-event.ts'
import type { RegistryPolicy } from '../registry-policy.ts'
import type { RegistryState } from '../registry-state.ts'
import { addStake, keeps, removeAllStakes, removeStake } from '../stakes.ts'
import { type Ignored, ignored, type Operation } from './operation.ts'

/** Stakes everything on one core node, as older clients do. */
export const stake: Operation = (state, event, policy) => {
  const obstacle = obstacleTo(state, event, policy)
  if (obstacle) return obstacle
  removeAllStakes(state, event.address, policy)
  addStake(state, event.address, event.ref!, policy)
  return null
}

/** Stakes on one core node more, in equal parts. */
export const stakeSplit: Operation = (state, event, policy) => {
  const { address, ref } = event
  const obstacle = obstacleTo(state, event, policy)
  if (obstacle) return obstacle
  if (state.stakesOf.get(address)?.includes(ref!)) {
    return ignored('already_staking', `${address} stakes on ${ref} already`)
  }
  addStake(state, address, ref!, policy)
  return null
}

export const unstake: Operation = (state, { address, ref }, policy) => {
  if (!state.stakesOf.get(address)?.includes(ref ?? '')) {
    return ignored('not_staking', `${address} does not stake on ${ref ?? 'no ref'}`)
  }
  removeStake(state, address, ref!, policy)
  return null
}

function obstacleTo(
  state: RegistryState,
  { address, ref }: OperationEvent,
  policy: RegistryPolicy,
): Ignored | null {
  const node = state.coreNodes.get(ref ?? '')
  if (!node) return ignored('unknown_node', `${ref ?? 'no ref'}: no core node`)
  if (!keeps(state, address, policy.stakingThreshold)) {
    return ignored('balance_too_low', `${address} keeps less than ${policy.stakingThreshold} ALEPH`)
  }
  if (state.coreNodeOf.has(address)) return ignored('owns_core_node', `${address} owns a core node`)
  if (node.locked && !node.authorized.some((each) => addressKey('ETH', each) === address)) {
    return ignored('not_authorised', `${node.hash} is locked, and ${address} is not among its authorised`)
  }
  return null
}
