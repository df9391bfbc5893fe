import type { Logger } from 'pino'
import type { ProgramSpec } from '../../supervisor/index.ts'
import type { VmHost } from '../vm-host.ts'
import type { ProgramLoader } from './program-loader.ts'
import { ProgramPool } from './program-pool.ts'
import { mayRunBeside, startReplica } from './replicas.ts'

const RETRY_MS = 60_000

/** Where the pools are that calls go to. */
export interface CurrentPools {
  isCurrent(pool: ProgramPool): boolean
  /** Sends all calls to come to `next`. */
  replace(former: ProgramPool, next: ProgramPool): void
  /** Lets calls to come wait for the pool that `start` brings. */
  replaceWhenStarted(former: ProgramPool, start: () => Promise<ProgramPool>): Promise<void>
}

export interface ProgramUpdatesOptions {
  loader: ProgramLoader
  vms: VmHost
  pools: CurrentPools
  intervalMs: number
  /** How long calls to the former version may still take. */
  drainMs: number
  logger: Logger
}

/**
 * Moves programs that run to their newest version (protocol 05 §6.10) without losing a call: the new version is
 * ready before the old one gets no more calls, and the old one ends after those under way.
 */
export class ProgramUpdates {
  readonly #options: ProgramUpdatesOptions
  /** When each program may be looked at again, epoch milliseconds. */
  readonly #next = new WeakMap<ProgramPool, number>()

  constructor(options: ProgramUpdatesOptions) {
    this.#options = options
  }

  /** Looks for a newer version, unless that was done just now; everything happens in the background. */
  consider(pool: ProgramPool): void {
    const { intervalMs, logger } = this.#options
    const now = Date.now()
    const next = this.#next.get(pool) ?? now + intervalMs
    this.#next.set(pool, next <= now ? Number.POSITIVE_INFINITY : next)
    if (next > now) return
    this.#check(pool).then(
      () => this.#next.set(pool, Date.now() + intervalMs),
      (error: unknown) => {
        this.#next.set(pool, Date.now() + RETRY_MS)
        const reason = (error as Error).message
        logger.warn({ hash: pool.spec.id, reason }, 'a program stays at its version')
      },
    )
  }

  /** As `consider`, when a newer version is said to be there, however recently it was looked for. */
  considerNow(pool: ProgramPool): void {
    if (this.#next.get(pool) === Number.POSITIVE_INFINITY) return
    this.#next.set(pool, 0)
    this.consider(pool)
  }

  async #check(pool: ProgramPool): Promise<void> {
    const { loader, pools, logger } = this.#options
    const { facts, spec } = await loader.load(pool.spec.id, pool.spec.kind)
    if (!pools.isCurrent(pool)) return
    if (isSame(spec, pool.spec)) return this.#complete(pool)
    logger.info({ hash: spec.id, codeRef: facts.codeRef }, 'program was amended, moving to its new version')
    const next = new ProgramPool(facts, spec)
    if (mayRunBeside(spec) && mayRunBeside(pool.spec)) await this.#moveOver(pool, next)
    else await this.#restart(pool, next)
  }

  /** A further VM of the new version stands in while the first one restarts with it. */
  async #moveOver(former: ProgramPool, next: ProgramPool): Promise<void> {
    const { vms, pools } = this.#options
    const standIn = await startReplica(vms, next.spec)
    if (!pools.isCurrent(former)) return vms.destroy(standIn.info.id)
    next.add(standIn)
    pools.replace(former, next)
    await this.#retire(former)
    await this.#complete(next)
  }

  /** Starts the program's first VM where only further ones run. */
  async #complete(pool: ProgramPool): Promise<void> {
    const { vms, pools } = this.#options
    const { spec } = pool
    if (pool.members.some(({ vm }) => vm.info.id === spec.id) || !pools.isCurrent(pool)) return
    const first = await vms.ensureRunning(spec)
    if (pools.isCurrent(pool)) pool.add(first)
    else await vms.stop(spec.id)
  }

  /** A disk can be in one VM at a time: calls wait while the program restarts. */
  async #restart(former: ProgramPool, next: ProgramPool): Promise<void> {
    await this.#options.pools.replaceWhenStarted(former, async () => {
      await this.#retire(former)
      next.add(await this.#options.vms.ensureRunning(next.spec))
      return next
    })
  }

  async #retire(pool: ProgramPool): Promise<void> {
    const { vms, drainMs } = this.#options
    await pool.idle(drainMs)
    const replicas = pool.members.filter(({ vm }) => vm.info.replicaOf !== undefined)
    pool.close()
    await Promise.all(replicas.map(({ vm }) => vms.destroy(vm.info.id)))
  }
}

function isSame(one: ProgramSpec, other: ProgramSpec): boolean {
  return JSON.stringify({ ...one, kind: null }) === JSON.stringify({ ...other, kind: null })
}
