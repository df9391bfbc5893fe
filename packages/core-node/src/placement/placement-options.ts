import type { CoreNodeContext } from '../context.ts'
import type { Registry } from '../registry/registry.ts'
import type { Mandate } from './mandate.ts'
import type { PlanPusherOptions } from './plan-pusher.ts'

export type PlacementContext = Pick<
  CoreNodeContext,
  'pool' | 'profile' | 'events' | 'inbox' | 'fileStore' | 'logger' | 'config' | 'askRegistered' | 'metrics'
>

export interface PlacementOptions {
  registry: Registry
  /** For which core nodes this process places VMs. */
  mandate: Mandate
  /** Pause between two looks at our compute nodes, seconds. */
  pollSeconds?: number
  /** How long a compute node may be away before its programs start elsewhere, seconds (protocol 06 §8.6). */
  moveProgramsAfterSeconds?: number
  /** The same for its instances, whose disks are lost then. */
  moveInstancesAfterSeconds?: number
  /** How long a compute node's score may be too low before it is emptied, seconds. */
  drainAfterSeconds?: number
  /** How long a compute node may be unlinked before it is emptied, seconds. */
  unlinkSeconds?: number
  /** How long a plan that would stop most VMs of a compute node for no reason is held back, seconds. */
  holdPlansSeconds?: number
  pusher?: Partial<Omit<PlanPusherOptions, 'calls' | 'logger'>>
}
