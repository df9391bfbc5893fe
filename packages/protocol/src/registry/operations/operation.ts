import type { OperationEvent } from '../registry-event.ts'
import type { RegistryPolicy } from '../registry-policy.ts'
import type { RegistryState } from '../registry-state.ts'

/** Why an operation, or another post to the registry, had no effect. */
export type IgnoredReason =
  | 'malformed'
  | 'not_believed'
  | 'owns_core_node'
  | 'balance_too_low'
  | 'owns_no_core_node'
  | 'unknown_node'
  | 'no_type'
  | 'bad_details'
  | 'links_full'
  | 'already_linked'
  | 'locked'
  | 'not_linked'
  | 'not_owner'
  | 'not_authorised'
  | 'already_staking'
  | 'not_staking'
  | 'already_exists'

export interface Ignored {
  reason: IgnoredReason
  detail: string
}

/** Applies one operation, or says why it has no effect; the state is unchanged then. */
export type Operation = (
  state: RegistryState,
  event: OperationEvent,
  policy: RegistryPolicy,
) => Ignored | null

export function ignored(reason: IgnoredReason, detail: string): Ignored {
  return { reason, detail }
}
