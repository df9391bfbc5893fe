import type { Logger } from 'pino'
import type { VmHost } from '../vm-host.ts'
import type { ProgramPool } from './program-pool.ts'
import { mayRunBeside, startReplica } from './replicas.ts'

const RETRY_MS = 5_000

export interface ProgramScalingOptions {
  vms: VmHost
  /** VMs of one program at most, the first included. */
  maxVms: number
  /** Calls under way in every VM of a program before it gets another one. */
  callsPerVm: number
  /** How long a further VM stays without a call. */
  idleMs: number
  /** Whether the pool still is the one calls go to. */
  isCurrent: (pool: ProgramPool) => boolean
  logger: Logger
}

/** Gives a program further VMs, clones of its snapshot, while many calls are under way, as far as there is room. */
export class ProgramScaling {
  readonly #options: ProgramScalingOptions
  /** Programs that do not get another VM now, until when (epoch milliseconds). */
  readonly #pausedUntil = new Map<string, number>()

  constructor(options: ProgramScalingOptions) {
    this.#options = options
  }

  /** Looks at a program after a call began; what there is to do happens in the background. */
  consider(pool: ProgramPool): void {
    const { maxVms, callsPerVm } = this.#options
    const { spec, members } = pool
    if (members.length === 0 || members.length >= maxVms) return
    if (spec.kind === 'persistent' || !mayRunBeside(spec)) return
    if ((pool.leastBusy()?.calls ?? 0) < callsPerVm) return
    if ((this.#pausedUntil.get(spec.id) ?? 0) > Date.now()) return
    this.#pausedUntil.set(spec.id, Number.POSITIVE_INFINITY)
    this.#grow(pool).catch((error: unknown) => {
      this.#options.logger.error(
        { err: error, hash: spec.id },
        'a further VM of a program could not be dropped',
      )
    })
  }

  /** Stops further VMs nobody has called for a while. */
  async shrink(pool: ProgramPool): Promise<void> {
    while (await this.dropIdle(pool, this.#options.idleMs)) {}
  }

  /** Stops one further VM that nobody has called for so long; false when there is none. */
  async dropIdle(pool: ProgramPool, idleMs = 0): Promise<boolean> {
    const idle = pool.members.find(
      ({ vm, calls, lastUsedAt }) =>
        vm.info.replicaOf !== undefined && calls === 0 && lastUsedAt <= Date.now() - idleMs,
    )
    if (!idle || pool.members.length === 1) return false
    const { id } = idle.vm.info
    this.#options.logger.info({ vm: id }, 'nobody calls a further VM of a program, stopping it')
    pool.remove(id)
    await this.#options.vms.destroy(id)
    return true
  }

  async #grow(pool: ProgramPool): Promise<void> {
    const { vms, isCurrent, logger } = this.#options
    const hash = pool.spec.id
    try {
      const vm = await startReplica(vms, pool.spec)
      const { id, startMs } = vm.info
      this.#pausedUntil.delete(hash)
      if (!isCurrent(pool)) return await vms.destroy(id)
      pool.add(vm)
      logger.info({ vm: id, startMs, calls: pool.calls }, 'program is busy, it has one more VM')
    } catch (error) {
      // Those that run go on alone.
      this.#pausedUntil.set(hash, Date.now() + RETRY_MS)
      logger.warn({ hash, reason: (error as Error).message }, 'no further VM for a busy program')
    }
  }
}
