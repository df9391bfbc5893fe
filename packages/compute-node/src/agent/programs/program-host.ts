import type { Logger } from 'pino'
import {
  type ProgramSpec,
  type RunningVm,
  type VmInfo,
  type VmKind,
  VmStartError,
} from '../../supervisor/index.ts'
import { AgentError } from '../errors.ts'
import type { AgentMetrics } from '../metrics.ts'
import { GuestConnections } from '../proxy/guest-connections.ts'
import { startRefusal } from '../start-refusal.ts'
import type { VmHost } from '../vm-host.ts'
import type { VolumeStore } from '../volumes/volume-store.ts'
import { IdleStopper } from './idle-stopper.ts'
import type { ProgramFacts, ProgramLoader } from './program-loader.ts'

const MAX_CALLS_PER_VM = 1_024
const FAILURE_MEMORY_MS = 3_000
const MAX_REMEMBERED_FACTS = 2_000

/** A program that runs, with the connections to it. */
export interface ActiveProgram {
  facts: ProgramFacts
  vm: RunningVm
  connections: GuestConnections
}

/** The right to use a running program until `release`; the VM does not stop for idleness meanwhile. */
export interface ProgramLease extends ActiveProgram {
  release(): void
}

export interface ProgramHostOptions {
  loader: ProgramLoader
  vms: VmHost
  volumes: VolumeStore
  /** Whether the network's plan keeps this VM running here. */
  isPlanned: (hash: string) => boolean
  reuseTimeoutMs: number
  metrics: AgentMetrics
  logger: Logger
}

/** Programs that run or should run: starts them once for any number of callers, stops them when idle. */
export class ProgramHost {
  readonly #options: ProgramHostOptions
  readonly #active = new Map<string, ActiveProgram>()
  readonly #starting = new Map<string, Promise<ActiveProgram>>()
  readonly #failures = new Map<string, { error: AgentError; until: number }>()
  readonly #facts = new Map<string, ProgramFacts>()
  readonly #idle: IdleStopper

  constructor(options: ProgramHostOptions) {
    this.#options = options
    this.#idle = new IdleStopper({
      timeoutMs: options.reuseTimeoutMs,
      isExempt: options.isPlanned,
      stop: (hash) => this.#stopIdle(hash),
    })
    options.vms.on('state', (info) => this.#onState(info))
  }

  /** Starts the idle clock of VMs that were adopted from an earlier run of this node and are in no plan. */
  start(): void {
    for (const { id, state } of this.#options.vms.list()) {
      if (state === 'running' && !this.#options.isPlanned(id)) this.#idle.watch(id)
    }
  }

  /** Closes every connection to guests; the VMs are the supervisor's to stop. */
  close(): void {
    this.#idle.clear()
    for (const { connections } of this.#active.values()) connections.destroy()
    this.#active.clear()
  }

  /**
   * The running program, started if need be, held until released. Throws AgentError: those of
   * ProgramLoader.load, and `insufficient_capacity`, `program_failed`, `program_not_listening`, `hypervisor_failed`,
   * `overloaded`.
   */
  async acquire(hash: string): Promise<ProgramLease> {
    if (this.#idle.calls(hash) >= MAX_CALLS_PER_VM) {
      throw new AgentError('overloaded', 'The program has too many calls under way; try again shortly')
    }
    this.#idle.enter(hash)
    try {
      const program = this.#active.get(hash) ?? (await this.#startOnce(hash))
      let released = false
      return {
        ...program,
        release: () => {
          if (released) return
          released = true
          program.vm.touch()
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
    if (!this.#active.has(hash)) await this.#startOnce(hash)
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
    this.#drop(hash)
    if (this.#options.vms.get(hash)?.type === 'program') await this.#options.vms.stop(hash)
  }

  /** Stops a program; its next start begins with empty volumes, if wanted. A program has no root disk of its own. */
  async reset(hash: string, what: { volumes: boolean }): Promise<void> {
    const { vms, volumes } = this.#options
    if (vms.get(hash)?.type === 'instance') return
    await this.stop(hash)
    if (what.volumes) await volumes.remove(hash)
  }

  /** Stops a program and deletes everything it left here: its record, its log, its volumes. */
  async erase(hash: string): Promise<void> {
    const { vms, volumes } = this.#options
    if (vms.get(hash)?.type === 'instance') return
    this.#drop(hash)
    await vms.destroy(hash)
    await volumes.remove(hash)
  }

  /** Drops a program the network no longer has: forgotten, removed or rejected. */
  onGone(hash: string): void {
    if (!this.#options.vms.get(hash)) return
    this.#options.logger.info({ hash }, 'message is gone, stopping its VM')
    this.#stopInBackground(hash)
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

  #startOnce(hash: string): Promise<ActiveProgram> {
    const failure = this.#failures.get(hash)
    if (failure && failure.until > Date.now()) return Promise.reject(failure.error)
    let starting = this.#starting.get(hash)
    if (!starting) {
      starting = this.#start(hash).finally(() => this.#starting.delete(hash))
      this.#starting.set(hash, starting)
    }
    return starting
  }

  async #start(hash: string): Promise<ActiveProgram> {
    const { loader, isPlanned, logger, metrics } = this.#options
    const kind: VmKind = isPlanned(hash) ? 'persistent' : 'on-demand'
    const { facts, spec } = await loader.load(hash, kind)
    this.#rememberFacts(facts)
    try {
      const vm = await this.#ensureRoomAndRun(spec)
      const { startKind, startMs } = vm.info
      if (startKind && startMs !== undefined) metrics.starts.observe({ kind: startKind }, startMs / 1000)
      logger.info({ hash, startKind, startMs }, 'program runs')
      const program = { facts, vm, connections: new GuestConnections(vm) }
      this.#active.set(hash, program)
      this.#failures.delete(hash)
      return program
    } catch (error) {
      const refusal = startRefusal(error)
      // A program that dies at start would otherwise cost a full boot per request.
      if (this.#failures.size > MAX_REMEMBERED_FACTS) this.#failures.clear()
      this.#failures.set(hash, { error: refusal, until: Date.now() + FAILURE_MEMORY_MS })
      throw refusal
    }
  }

  /** Runs the VM; idle on-demand VMs give way when the node is full, the longest unused first. */
  async #ensureRoomAndRun(spec: ProgramSpec): Promise<RunningVm> {
    for (;;) {
      try {
        return await this.#options.vms.ensureRunning(spec)
      } catch (error) {
        const isFull = error instanceof VmStartError && error.code === 'insufficient_capacity'
        const idle = isFull ? this.#longestIdle(spec.id) : undefined
        if (!idle) throw error
        this.#options.logger.info({ hash: idle, for: spec.id }, 'node is full, stopping an idle program')
        await this.stop(idle)
      }
    }
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

  #onState(info: VmInfo): void {
    if (info.state !== 'running' && info.state !== 'booting') this.#drop(info.id)
  }

  #drop(hash: string): void {
    const program = this.#active.get(hash)
    if (!program) return
    this.#active.delete(hash)
    program.connections.destroy()
  }

  #stopIdle(hash: string): void {
    if (this.#options.vms.get(hash)?.state !== 'running') return
    this.#options.logger.info({ hash }, 'program is idle, stopping it')
    this.#stopInBackground(hash)
  }

  #stopInBackground(hash: string): void {
    this.stop(hash).catch((error: unknown) => {
      this.#options.logger.error({ err: error, hash }, 'stopping a VM failed')
    })
  }

  #rememberFacts(facts: ProgramFacts): void {
    if (this.#facts.size >= MAX_REMEMBERED_FACTS)
      this.#facts.delete(this.#facts.keys().next().value as string)
    this.#facts.set(facts.hash, facts)
  }
}
