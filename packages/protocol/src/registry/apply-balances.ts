import { dropCoreNode } from './nodes.ts'
import type { BalanceEvent } from './registry-event.ts'
import type { RegistryPolicy } from './registry-policy.ts'
import type { RegistryState } from './registry-state.ts'
import { keeps, recomputeStakesOf, removeAllStakes } from './stakes.ts'

/** New balances: who falls below a threshold loses its core node or its stakes (protocol 06 §2.5). */
export function applyBalances(state: RegistryState, event: BalanceEvent, policy: RegistryPolicy): void {
  for (const address of changedAddresses(state, event)) {
    const node = state.coreNodes.get(state.coreNodeOf.get(address) ?? '')
    if (node && !keeps(state, address, policy.nodeThreshold)) dropCoreNode(state, node, policy)
    else if (!state.stakesOf.has(address)) continue
    else if (keeps(state, address, policy.stakingThreshold)) recomputeStakesOf(state, address, policy)
    else removeAllStakes(state, address, policy)
  }
}

/** Takes the new balances in, and tells whose sum is another now. */
function changedAddresses(state: RegistryState, { platform, balances, mode }: BalanceEvent): string[] {
  const known = state.platformBalances.get(platform) ?? new Map<string, bigint>()
  state.platformBalances.set(platform, known)
  const absent = mode === 'replace' ? [...known.keys()].filter((address) => !balances.has(address)) : []
  const changed: string[] = []
  for (const address of [...balances.keys(), ...absent]) {
    const before = known.get(address) ?? 0n
    const given = balances.get(address) ?? 0n
    const balance = mode === 'move' ? before + given : given
    const difference = balance - before
    if (difference === 0n) continue
    if (balance === 0n) known.delete(address)
    else known.set(address, balance)
    const sum = (state.balances.get(address) ?? 0n) + difference
    if (sum === 0n) state.balances.delete(address)
    else state.balances.set(address, sum)
    changed.push(address)
  }
  return changed
}
