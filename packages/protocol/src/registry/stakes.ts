import type { RegistryPolicy } from './registry-policy.ts'
import type { RegisteredCoreNode, RegistryState } from './registry-state.ts'

const unit = 10n ** 18n

/** A threshold of the policy in 10⁻¹⁸ ALEPH. */
export function inUnits(aleph: number): bigint {
  return BigInt(Math.round(aleph * 1_000_000)) * (unit / 1_000_000n)
}

/** Whether an address keeps at least so many ALEPH. */
export function keeps(state: RegistryState, address: string, aleph: number): boolean {
  return (state.balances.get(address) ?? 0n) >= inUnits(aleph)
}

/**
 * What is staked on a core node: of each staker the balance, in equal parts over the nodes it stakes on. Divided as
 * floating-point numbers, because the published registry is.
 */
export function recomputeStakes(
  state: RegistryState,
  node: RegisteredCoreNode,
  policy: RegistryPolicy,
): void {
  let total = 0n
  for (const staker of node.stakers.keys()) {
    const parts = state.stakesOf.get(staker)?.length ?? 1
    const stake = Math.trunc(Number(state.balances.get(staker) ?? 0n) / parts)
    node.stakers.set(staker, stake)
    // Their sum is exact, and rounded once.
    total += BigInt(stake)
  }
  node.totalStaked = Number(total)
  node.status = total >= inUnits(policy.nodeActivation) ? 'active' : 'waiting'
}

/** Brings the stakes of every core node up to date that an address stakes on. */
export function recomputeStakesOf(state: RegistryState, staker: string, policy: RegistryPolicy): void {
  for (const hash of state.stakesOf.get(staker) ?? []) {
    recomputeStakes(state, state.coreNodes.get(hash)!, policy)
  }
}

export function addStake(state: RegistryState, staker: string, hash: string, policy: RegistryPolicy): void {
  state.stakesOf.set(staker, [...(state.stakesOf.get(staker) ?? []), hash])
  state.coreNodes.get(hash)!.stakers.set(staker, 0)
  recomputeStakesOf(state, staker, policy)
}

export function removeStake(
  state: RegistryState,
  staker: string,
  hash: string,
  policy: RegistryPolicy,
): void {
  const rest = (state.stakesOf.get(staker) ?? []).filter((each) => each !== hash)
  if (rest.length === 0) state.stakesOf.delete(staker)
  else state.stakesOf.set(staker, rest)
  const node = state.coreNodes.get(hash)
  if (node) {
    node.stakers.delete(staker)
    recomputeStakes(state, node, policy)
  }
  recomputeStakesOf(state, staker, policy)
}

export function removeAllStakes(state: RegistryState, staker: string, policy: RegistryPolicy): void {
  for (const hash of state.stakesOf.get(staker) ?? []) removeStake(state, staker, hash, policy)
}
