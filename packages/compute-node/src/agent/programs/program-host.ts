import type { Logger } from 'pino'
import {
  type ProgramSpec,
  type RunningVm,
  type VmInfo,
  type VmKind,
  VmStartError,
} from '../../supervisor/index.ts'
import { AgentError } from '../errors.ts'
import type { ProgramCache } from '../guest-api/program-cache.ts'
import type { AgentMetrics } from '../metrics.ts'
import type { GuestConnections } from '../proxy/guest-connections.ts'
import { startRefusal } from '../start-refusal.ts'
import type { VmHost } from '../vm-host.ts'
import type { VolumeStore } from '../volumes/volume-store.ts'
import { IdleStopper } from './idle-stopper.ts'
import type { ProgramFacts, ProgramLoader } from './program-loader.ts'
import { ProgramPool } from './program-pool.ts'
import { ProgramScaling } from './program-scaling.ts'
import { ProgramUpdates } from './program-updates.ts'

const MAX_CALLS = 1_024
const UPKEEP_MS = 5_000
/** First wait after a failed start; doubles with every failure. */
const BACKOFF_MS = 3_000
const MAX_BACKOFF_MS = 60_000
const MAX_REMEMBERED_FACTS = 2_000

/** The right to use one VM of a running program until `release`; it does not stop for idleness meanwhile. */
export interface ProgramLease {
  facts: ProgramFacts
  connections: GuestConnections
  release(): void
}

export interface ProgramHostOptions {
  loader: ProgramLoader
  vms: VmHost
  volumes: VolumeStore
  /** What programs keep at this node. */
  cache: Pick<ProgramCache, 'forget'>
  /** Whether the network's plan keeps this VM running here. */
  isPlanned: (hash: string) => boolean
  reuseTimeoutMs: number
  /** When a program gets further VMs, and how long they stay. */
  scaling: { maxVms: number; callsPerVm: number; idleMs: number }
  /** How often a program that is called is looked at for a newer version. */
  updateIntervalMs: number
  /** How long calls to a former version of a program may still take. */
  drainMs: number
  metrics: AgentMetrics
  logger: Logger
}

/** Programs that run or should run: starts them once for any number of callers, stops them when idle. */
export class ProgramHost {
  readonly #options: ProgramHostOptions
  readonly #pools = new Map<string, ProgramPool>()
  readonly #starting = new Map<string, Promise<ProgramPool>>()
  readonly #failures = new Map<string, { error: AgentError; until: number; count: number }>()
  readonly #facts = new Map<string, ProgramFacts>()
  readonly #idle: IdleStopper
  readonly #scaling: ProgramScaling
  readonly #updates: ProgramUpdates
  #upkeep: NodeJS.Timeout | null = null

  constructor(options: ProgramHostOptions) {
    this.#options = options
    this.#idle = new IdleStopper({
      timeoutMs: options.reuseTimeoutMs,
      isExempt: options.isPlanned,
      stop: (hash) => this.#restIdle(hash),
    })
    const { loader, vms, updateIntervalMs: intervalMs, drainMs, logger } = options
    const isCurrent = (pool: ProgramPool) => this.#pools.get(pool.spec.id) === pool
    this.#scaling = new ProgramScaling({ vms, isCurrent, logger, ...options.scaling })
    const pools = {
      isCurrent,
      replace: (_former: ProgramPool, next: ProgramPool) => void this.#pools.set(next.spec.id, next),
      replaceWhenStarted: (former: ProgramPool, start: () => Promise<ProgramPool>) =>
        this.#replaceWhenStarted(former, start),
    }
    this.#updates = new ProgramUpdates({ loader, vms, pools, intervalMs, drainMs, logger })
    vms.on('state', (info) => this.#onState(info))
  }

  /**
   * Starts the idle clock of VMs that were adopted from an earlier run of this node and are in no plan; ends
   * further VMs of that run.
   */
  start(): void {
    const { vms, isPlanned } = this.#options
    for (const { id, state } of vms.list()) {
      if (state === 'running' && !isPlanned(id)) this.#idle.watch(id)
    }
    for (const { id } of vms.replicas()) this.#inBackground(id, vms.destroy(id))
    this.#upkeep = setInterval(() => this.#lookAfterPools(), UPKEEP_MS)
    this.#upkeep.unref()
  }

  /** Closes every connection to guests; the VMs are the supervisor's to stop. */
  close(): void {
    if (this.#upkeep) clearInterval(this.#upkeep)
    this.#idle.clear()
    for (const pool of this.#pools.values()) pool.close()
    this.#pools.clear()
  }

  /**
   * The running program, started if need be, held until released. Throws AgentError: those of
   * ProgramLoader.load, and `insufficient_capacity`, `program_failed`, `program_not_listening`, `hypervisor_failed`,
   * `overloaded`.
   */
  async acquire(hash: string): Promise<ProgramLease> {
    if (this.#idle.calls(hash) >= MAX_CALLS) {
      throw new AgentError('overloaded', 'The program has too many calls under way; try again shortly')
    }
    this.#idle.enter(hash)
    try {
      const pool = this.#pools.get(hash) ?? (await this.#startOnce(hash))
      const member = pool.leastBusy()
      if (!member) throw new AgentError('program_crashed', 'The program ended just now; try again')
      const leave = pool.enter(member)
      this.#scaling.consider(pool)
      this.#updates.consider(pool)
      let released = false
      return {
        facts: pool.facts,
        connections: member.connections,
        release: () => {
          if (released) return
          released = true
          leave()
          this.#idle.leave(hash)
        },
      }
    } catch (error) {
      this.#idle.leave(hash)
      throw error
    }
  }

  /** Starts a program the plan wants running; errors as `acquire`, without the memory of recent failures. */
  async ensureRunning(hash: string): Promise<void> {
    this.#failures.delete(hash)
    if (!this.#pools.has(hash)) await this.#startOnce(hash)
  }

  /** Downloads and builds everything a program needs, so that its first call only has to boot it. */
  async prefetch(hash: string): Promise<void> {
    const { facts } = await this.#options.loader.load(hash, 'on-demand')
    this.#rememberFacts(facts)
  }

  /** Whether a start is under way, downloads included. */
  isStarting(hash: string): boolean {
    return this.#starting.has(hash)
  }

  async stop(hash: string): Promise<void> {
    await this.#dropAll(hash)
    if (this.#options.vms.get(hash)?.type === 'program') await this.#options.vms.stop(hash)
  }

  /** Stops a program; its next start begins with empty volumes, if wanted. A program has no root disk of its own. */
  async reset(hash: string, what: { volumes: boolean }): Promise<void> {
    const { vms, volumes } = this.#options
    if (vms.get(hash)?.type === 'instance') return
    await this.stop(hash)
    if (what.volumes) await volumes.remove(hash)
  }

  /** Stops a program and deletes everything it left here: its record, its log, its snapshots, its volumes, its cache. */
  async erase(hash: string): Promise<void> {
    const { vms, volumes, cache } = this.#options
    if (vms.get(hash)?.type === 'instance') return
    await this.#dropAll(hash)
    await vms.destroy(hash)
    await volumes.remove(hash)
    cache.forget(hash)
  }

  /** Drops a program the network no longer has: forgotten, removed or rejected. */
  onGone(hash: string): void {
    if (!this.#options.vms.get(hash)) return
    this.#options.logger.info({ hash }, 'message is gone, stopping its VM')
    this.#inBackground(hash, this.stop(hash))
  }

  /** STORE messages whose newest versions the running programs use. */
  followedRefs(): ReadonlySet<string> {
    return new Set([...this.#pools.values()].flatMap(({ facts }) => facts.follows))
  }

  /** Looks at once for newer versions of the programs that use the newest version of a STORE message. */
  onAmend(ref: string): void {
    for (const pool of this.#pools.values()) {
      if (pool.facts.follows.includes(ref)) this.#updates.considerNow(pool)
    }
  }

  /** Lets a VM that left the plan stop once idle. */
  watchIdle(hash: string): void {
    this.#idle.watch(hash)
  }

  /** Content hashes of downloaded files that VMs run on. */
  filesInUse(): ReadonlySet<string> {
    return new Set(this.#factsInUse().flatMap(({ files }) => files))
  }

  /** Paths of images that VMs run on. */
  imagesInUse(): ReadonlySet<string> {
    return new Set(this.#factsInUse().flatMap(({ images }) => images))
  }

  #factsInUse(): ProgramFacts[] {
    const alive = this.#options.vms.list().filter(({ state }) => state !== 'stopped' && state !== 'failed')
    return alive.flatMap(({ id }) => this.#facts.get(id) ?? [])
  }

  #startOnce(hash: string): Promise<ProgramPool> {
    const failure = this.#failures.get(hash)
    if (failure && failure.until > Date.now()) return Promise.reject(again(failure.error, failure.until))
    let starting = this.#starting.get(hash)
    if (!starting) {
      starting = this.#start(hash).finally(() => this.#starting.delete(hash))
      this.#starting.set(hash, starting)
    }
    return starting
  }

  /** While `start` is under way, callers wait for it as for any other start. */
  async #replaceWhenStarted(former: ProgramPool, start: () => Promise<ProgramPool>): Promise<void> {
    const { id } = former.spec
    this.#pools.delete(id)
    const starting = start()
      .then(
        (pool) => {
          this.#pools.set(id, pool)
          return pool
        },
        (error: unknown) => {
          const refusal = startRefusal(error)
          this.#rememberFailure(id, refusal)
          throw refusal
        },
      )
      .finally(() => this.#starting.delete(id))
    this.#starting.set(id, starting)
    await starting
  }

  async #start(hash: string): Promise<ProgramPool> {
    const { loader, isPlanned, logger, metrics } = this.#options
    const kind: VmKind = isPlanned(hash) ? 'persistent' : 'on-demand'
    const { facts, spec } = await loader.load(hash, kind)
    this.#rememberFacts(facts)
    try {
      const vm = await this.#ensureRoomAndRun(spec)
      const { startKind, startMs } = vm.info
      if (startKind && startMs !== undefined) metrics.starts.observe({ kind: startKind }, startMs / 1000)
      logger.info({ hash, startKind, startMs }, 'program runs')
      const pool = new ProgramPool(facts, spec)
      pool.add(vm)
      this.#pools.set(hash, pool)
      this.#failures.delete(hash)
      return pool
    } catch (error) {
      const refusal = startRefusal(error)
      this.#rememberFailure(hash, refusal)
      throw refusal
    }
  }

  /** A program that dies at start would otherwise cost a start per request. */
  #rememberFailure(hash: string, error: AgentError): void {
    const count = (this.#failures.get(hash)?.count ?? 0) + 1
    const wait = Math.min(BACKOFF_MS * 2 ** (count - 1), MAX_BACKOFF_MS)
    if (this.#failures.size > MAX_REMEMBERED_FACTS) this.#failures.clear()
    this.#failures.set(hash, { error, until: Date.now() + wait, count })
  }

  /** Runs the VM; VMs nobody calls give way when the node is full. */
  async #ensureRoomAndRun(spec: ProgramSpec): Promise<RunningVm> {
    for (;;) {
      try {
        return await this.#options.vms.ensureRunning(spec)
      } catch (error) {
        const isFull = error instanceof VmStartError && error.code === 'insufficient_capacity'
        if (!isFull || !(await this.#makeRoom(spec.id))) throw error
      }
    }
  }

  /** Stops one VM nobody calls, further ones of a program first; false when there is none. */
  async #makeRoom(hash: string): Promise<boolean> {
    for (const pool of this.#pools.values()) if (await this.#scaling.dropIdle(pool)) return true
    const idle = this.#longestIdle(hash)
    if (idle === undefined) return false
    this.#options.logger.info({ hash: idle, for: hash }, 'node is full, stopping an idle program')
    await this.stop(idle)
    return true
  }

  #longestIdle(except: string): string | undefined {
    const { vms, isPlanned } = this.#options
    const idle = vms
      .list()
      .filter(
        ({ id, type, state }) =>
          type === 'program' &&
          state === 'running' &&
          id !== except &&
          !isPlanned(id) &&
          this.#idle.calls(id) === 0,
      )
    return idle.sort((a, b) => (a.lastUsedAt ?? 0) - (b.lastUsedAt ?? 0))[0]?.id
  }

  #onState({ id, replicaOf, state }: VmInfo): void {
    if (state === 'running' || state === 'booting') return
    const hash = replicaOf ?? id
    const pool = this.#pools.get(hash)
    pool?.remove(id)
    if (pool?.members.length === 0) this.#pools.delete(hash)
    if (replicaOf !== undefined && state === 'failed') this.#inBackground(id, this.#options.vms.destroy(id))
  }

  /** Takes no more calls for a program and ends its further VMs. */
  async #dropAll(hash: string): Promise<void> {
    const { vms } = this.#options
    this.#pools.get(hash)?.close()
    this.#pools.delete(hash)
    const replicas = vms.replicas().filter(({ replicaOf }) => replicaOf === hash)
    await Promise.all(replicas.map(({ id }) => vms.destroy(id)))
  }

  #lookAfterPools(): void {
    for (const [hash, pool] of this.#pools) {
      if (this.#options.isPlanned(hash)) this.#updates.consider(pool)
      this.#inBackground(hash, this.#scaling.shrink(pool))
    }
  }

  #restIdle(hash: string): void {
    if (this.#options.vms.get(hash)?.state !== 'running') return
    this.#options.logger.info({ hash }, 'program is idle, it may rest')
    this.#inBackground(hash, this.#rest(hash))
  }

  async #rest(hash: string): Promise<void> {
    await this.#dropAll(hash)
    await this.#options.vms.suspend(hash)
  }

  #inBackground(hash: string, stopping: Promise<void>): void {
    stopping.catch((error: unknown) => {
      this.#options.logger.error({ err: error, hash }, 'stopping a VM failed')
    })
  }

  #rememberFacts(facts: ProgramFacts): void {
    if (this.#facts.size >= MAX_REMEMBERED_FACTS)
      this.#facts.delete(this.#facts.keys().next().value as string)
    this.#facts.set(facts.hash, facts)
  }
}

/** The refusal of a start that failed shortly before, with the time at which another one is tried. */
function again(error: AgentError, until: number): AgentError {
  const retryAfterSeconds = Math.ceil((until - Date.now()) / 1000)
  return new AgentError(error.code, error.message, { cause: error, log: error.log, retryAfterSeconds })
}
