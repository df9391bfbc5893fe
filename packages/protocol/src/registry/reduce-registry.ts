import { applyBalances } from './apply-balances.ts'
import { applyScores, isDiscarded } from './apply-scores.ts'
import { BadDetailError } from './node-profile.ts'
import { amendNode } from './operations/amend-node.ts'
import { createNode, createResourceNode } from './operations/create-node.ts'
import { dropNode } from './operations/drop-node.ts'
import { link, unlink } from './operations/link.ts'
import { type Ignored, ignored, type Operation } from './operations/operation.ts'
import { stake, stakeSplit, unstake } from './operations/stake.ts'
import {
  compareRegistryEvents,
  type OperationEvent,
  type RegistryAction,
  type RegistryEvent,
} from './registry-event.ts'
import type { RegistryPolicy } from './registry-policy.ts'
import { createRegistryState, type RegistryState } from './registry-state.ts'

const operations: Record<RegistryAction, Operation> = {
  'create-node': createNode,
  'create-resource-node': createResourceNode,
  link,
  unlink,
  'drop-node': dropNode,
  stake,
  'stake-split': stakeSplit,
  unstake,
  amend: amendNode,
}

/** An operation that had no effect, and why. */
export interface IgnoredOperation extends Ignored {
  event: OperationEvent
}

/**
 * Applies the next event to a registry, in place (protocol 06 §2.4 to §2.6).
 *
 * @returns why an operation had no effect; null when it had one
 */
export function applyRegistryEvent(
  state: RegistryState,
  event: RegistryEvent,
  policy: RegistryPolicy,
): Ignored | null {
  if (event.kind === 'balances') {
    applyBalances(state, event, policy)
    return null
  }
  if (event.kind === 'scores') {
    if (!isDiscarded(event.height, policy)) applyScores(state, event, policy)
    return null
  }
  return applyOperation(state, event, policy)
}

/**
 * The registry that a set of events makes, in whatever order they are given.
 *
 * @example
 * ```ts
 * const { state, ignored } = reduceRegistry(events, profile.registry)
 * const content = publishedRegistry(state)
 * ```
 */
export function reduceRegistry(
  events: Iterable<RegistryEvent>,
  policy: RegistryPolicy,
): { state: RegistryState; ignored: IgnoredOperation[] } {
  const state = createRegistryState()
  const without: IgnoredOperation[] = []
  for (const event of [...events].sort(compareRegistryEvents)) {
    const reason = applyRegistryEvent(state, event, policy)
    if (reason && event.kind === 'operation') without.push({ ...reason, event })
  }
  return { state, ignored: without }
}

function applyOperation(state: RegistryState, event: OperationEvent, policy: RegistryPolicy): Ignored | null {
  if (state.coreNodes.has(event.itemHash) || state.computeNodes.has(event.itemHash)) {
    return ignored('already_exists', `${event.itemHash} was applied before`)
  }
  try {
    return operations[event.action](state, event, policy)
  } catch (error) {
    if (error instanceof BadDetailError) return ignored('bad_details', error.message)
    throw error
  }
}
