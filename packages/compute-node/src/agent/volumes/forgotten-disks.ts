import type { Logger } from 'pino'
import type { MessageSource } from '../core-nodes/message-source.ts'
import type { VmHost } from '../vm-host.ts'
import type { WorkloadHost } from '../workloads.ts'
import type { VolumeStore } from './volume-store.ts'

/** A message must look gone this often in a row: nothing brings a disk back. */
const GONE_PASSES = 3

export interface ForgottenDisksOptions {
  volumes: Pick<VolumeStore, 'owners'>
  vms: Pick<VmHost, 'snapshotOwners'>
  messages: Pick<MessageSource, 'isGone'>
  workloads: Pick<WorkloadHost, 'erase'>
  /** Whether somebody wants the VM to run here. */
  isPlanned: (hash: string) => boolean
  logger: Logger
}

/** Deletes disks and snapshots of VMs whose messages are gone from the network: they can never start again (protocol 05 §24.9). */
export class ForgottenDisks {
  readonly #options: ForgottenDisksOptions
  #goneFor = new Map<string, number>()

  constructor(options: ForgottenDisksOptions) {
    this.#options = options
  }

  /** One pass over all of them; `stopping` ends it early. */
  async check(stopping?: AbortSignal): Promise<void> {
    const { volumes, vms, messages, workloads, isPlanned, logger } = this.#options
    const goneFor = new Map<string, number>()
    for (const hash of new Set([...(await volumes.owners()), ...vms.snapshotOwners])) {
      if (stopping?.aborted) return
      if (isPlanned(hash) || !(await messages.isGone(hash))) continue
      const passes = (this.#goneFor.get(hash) ?? 0) + 1
      if (passes < GONE_PASSES) {
        goneFor.set(hash, passes)
        continue
      }
      logger.warn({ hash, reason: 'message_gone' }, 'deleting disks and snapshots of a VM')
      await workloads.erase(hash)
    }
    this.#goneFor = goneFor
  }
}
