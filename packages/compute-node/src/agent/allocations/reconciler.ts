import type { Logger } from 'pino'
import { type AgentError, toAgentError } from '../errors.ts'
import type { ProgramHost } from '../programs/program-host.ts'
import type { VmHost } from '../vm-host.ts'
import { emptyPlan, type Plan, type PlanFile } from './plan.ts'

const MAX_CONCURRENT_STARTS = 3
const STABLE_MS = 60_000

export interface ReconcilerOptions {
  programs: ProgramHost
  vms: VmHost
  planFile: PlanFile
  logger: Logger
  /** First wait after a failed start; doubles up to `maxBackoffMs`. */
  backoffMs?: number
  maxBackoffMs?: number
  /** How often everything is looked at even if nothing seems to have happened. */
  intervalMs?: number
}

/** How far this node is with one VM of the plan. Times in epoch milliseconds. */
export interface Allocation {
  state: 'planned' | 'starting' | 'running' | 'failed'
  attempts: number
  error: { code: string; message: string } | null
  nextRetryAt: number | null
}

interface Desired extends Allocation {
  startedAt: number | null
}

/** What applying a plan came to so far (protocol 05 §9.1). */
export interface PlanOutcome {
  successful: string[]
  failing: string[]
  stopped: string[]
  errors: Record<string, string>
}

/**
 * Makes the node run what the plan says, again and again: starts what is missing, restarts what died with
 * growing pauses, stops what is no longer listed, and fetches on-demand programs ahead.
 */
export class Reconciler {
  readonly #options: Required<ReconcilerOptions>
  readonly #desired = new Map<string, Desired>()
  readonly #attempts = new Map<string, Promise<void>>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #waiting: string[] = []
  #plan: Plan = emptyPlan
  #interval: NodeJS.Timeout | null = null
  #prefetching: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: ReconcilerOptions) {
    this.#options = { backoffMs: 2_000, maxBackoffMs: 300_000, intervalMs: 60_000, ...options }
  }

  /** Goes on with the plan of the last run. */
  async start(): Promise<void> {
    const { planFile, vms, intervalMs, logger } = this.#options
    const stored = await planFile.read().catch((error: unknown) => {
      logger.error({ err: error }, 'stored plan is damaged; waiting for the next push')
      return null
    })
    vms.on('state', ({ id }) => this.#look(id))
    this.#interval = setInterval(() => this.#lookAtAll(), intervalMs)
    if (stored) this.#adopt(stored)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#interval) clearInterval(this.#interval)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#waiting.length = 0
    await Promise.allSettled([...this.#attempts.values(), this.#prefetching])
  }

  /** Whether the plan wants this VM running here. */
  isPlanned(hash: string): boolean {
    return this.#desired.has(hash)
  }

  /** Leaves a planned VM alone until the next push of the plan, because its owner stopped it (protocol 05 §10). */
  release(hash: string): void {
    this.#forget(hash)
  }

  /** How far the node is with a planned VM. */
  allocation(hash: string): Allocation | undefined {
    const desired = this.#desired.get(hash)
    if (!desired) return undefined
    const { state, attempts, error, nextRetryAt } = desired
    return { state, attempts, error, nextRetryAt }
  }

  /** Every VM of the plan that should run all the time. */
  planned(): string[] {
    return [...this.#desired.keys()]
  }

  /** Every program of the plan that starts at its first request. */
  onDemand(): string[] {
    return this.#plan.on_demand_vms
  }

  /**
   * Takes over a new plan, durably, and waits at most `waitMs` for it to be real. Starts that take longer go
   * on in the background and are reported as failing with the reason `still starting`.
   */
  async apply(plan: Plan, waitMs: number): Promise<PlanOutcome> {
    await this.#options.planFile.write(plan)
    const stopped = await this.#adopt(plan)
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs)
    })
    await Promise.race([this.#settled(plan.persistent_vms), timeout])
    clearTimeout(timer)
    return this.#outcome(plan, stopped)
  }

  async #adopt(plan: Plan): Promise<string[]> {
    this.#plan = plan
    const wanted = new Set(plan.persistent_vms)
    const surplus = [...this.#desired.keys()].filter((hash) => !wanted.has(hash))
    for (const { id, kind, state } of this.#options.vms.list()) {
      if (kind === 'persistent' && isAlive(state) && !wanted.has(id) && !surplus.includes(id))
        surplus.push(id)
    }
    for (const hash of surplus) this.#forget(hash)
    for (const hash of wanted) {
      if (!this.#desired.has(hash)) this.#desired.set(hash, fresh())
      else this.#retryNow(hash)
    }
    this.#lookAtAll()
    this.#prefetch(plan.on_demand_vms)
    return this.#stopAll(surplus)
  }

  async #stopAll(hashes: string[]): Promise<string[]> {
    const stopped: string[] = []
    await Promise.all(
      hashes.map(async (hash) => {
        await this.#attempts.get(hash)
        if (this.#desired.has(hash)) return
        try {
          const ran = isAlive(this.#options.vms.get(hash)?.state)
          await this.#options.programs.stop(hash)
          if (ran) stopped.push(hash)
        } catch (error) {
          this.#options.logger.error({ err: error, hash }, 'stopping a VM that left the plan failed')
        }
      }),
    )
    return stopped
  }

  /** A push of the same plan is a wish to try again, but not more often than the back-off's first step. */
  #retryNow(hash: string): void {
    const desired = this.#desired.get(hash)
    if (desired?.state !== 'failed' || desired.attempts > 1) return
    clearTimeout(this.#timers.get(hash))
    this.#timers.delete(hash)
    desired.nextRetryAt = null
  }

  #forget(hash: string): void {
    this.#desired.delete(hash)
    clearTimeout(this.#timers.get(hash))
    this.#timers.delete(hash)
  }

  #lookAtAll(): void {
    for (const hash of this.#desired.keys()) this.#look(hash)
  }

  #look(hash: string): void {
    const desired = this.#desired.get(hash)
    if (this.#stopped || !desired || this.#attempts.has(hash) || this.#timers.has(hash)) return
    if (this.#options.vms.get(hash)?.state === 'running') {
      if (desired.state !== 'running') Object.assign(desired, running())
      return
    }
    if (desired.state === 'running') this.#died(hash, desired)
    else if (this.#attempts.size < MAX_CONCURRENT_STARTS) this.#attempt(hash, desired)
    else if (!this.#waiting.includes(hash)) this.#waiting.push(hash)
  }

  /** A VM that ran for a while restarts at once; one that keeps dying waits longer every time. */
  #died(hash: string, desired: Desired): void {
    const stable = Date.now() - (desired.startedAt ?? 0) >= STABLE_MS
    if (stable) desired.attempts = 0
    const info = this.#options.vms.get(hash)
    const message = info?.error?.message ?? 'the VM stopped by itself'
    this.#options.logger.warn({ hash, reason: message }, 'a planned VM is down, starting it again')
    desired.error = { code: info?.error?.code ?? 'vm_failed', message }
    this.#retryLater(hash, desired, stable ? 0 : this.#backoff(desired.attempts))
  }

  #attempt(hash: string, desired: Desired): void {
    desired.state = 'starting'
    desired.attempts += 1
    desired.nextRetryAt = null
    const attempt = this.#options.programs.ensureRunning(hash).then(
      () => {
        Object.assign(desired, running(), { attempts: desired.attempts })
      },
      (error: unknown) => this.#failed(hash, desired, toAgentError(error)),
    )
    const done = attempt.finally(() => {
      this.#attempts.delete(hash)
      const next = this.#waiting.shift()
      if (next !== undefined) this.#look(next)
      // The VM may have died, or left and rejoined the plan, while the attempt ended.
      if (desired.state === 'running' || this.#desired.get(hash) !== desired) this.#look(hash)
    })
    this.#attempts.set(hash, done)
  }

  #failed(hash: string, desired: Desired, error: AgentError): void {
    desired.error = { code: error.code, message: error.message }
    const { logger } = this.#options
    logger.warn(
      { hash, code: error.code, attempts: desired.attempts, err: error.cause },
      'planned VM did not start',
    )
    this.#retryLater(hash, desired, this.#backoff(desired.attempts))
  }

  #backoff(attempts: number): number {
    return Math.min(this.#options.backoffMs * 2 ** Math.max(attempts - 1, 0), this.#options.maxBackoffMs)
  }

  #retryLater(hash: string, desired: Desired, delayMs: number): void {
    desired.state = 'failed'
    if (this.#stopped || this.#desired.get(hash) !== desired) return
    desired.nextRetryAt = Date.now() + delayMs
    const timer = setTimeout(() => {
      this.#timers.delete(hash)
      this.#look(hash)
    }, delayMs)
    this.#timers.set(hash, timer)
  }

  async #settled(hashes: string[]): Promise<void> {
    for (const hash of hashes) {
      while (this.#desired.get(hash)?.state === 'planned' || this.#attempts.has(hash)) {
        const attempts = [...this.#attempts.values()]
        if (attempts.length === 0) return
        await (this.#attempts.get(hash) ?? Promise.race(attempts))
      }
    }
  }

  #outcome(plan: Plan, stopped: string[]): PlanOutcome {
    const outcome: PlanOutcome = { successful: [], failing: [], stopped, errors: {} }
    for (const hash of plan.persistent_vms) {
      const desired = this.#desired.get(hash)
      if (desired?.state === 'running') outcome.successful.push(hash)
      else {
        outcome.failing.push(hash)
        outcome.errors[hash] = desired?.error
          ? `${desired.error.code}: ${desired.error.message}`
          : 'still starting'
      }
    }
    for (const hash of plan.instances) {
      outcome.failing.push(hash)
      outcome.errors[hash] = 'unsupported: this node does not run instances yet'
    }
    return outcome
  }

  #prefetch(hashes: string[]): void {
    const plan = this.#plan
    this.#prefetching = this.#prefetching.then(async () => {
      for (const hash of hashes) {
        if (this.#stopped || this.#plan !== plan) return
        await this.#options.programs.prefetch(hash).catch((error: unknown) => {
          const { code, message } = toAgentError(error)
          this.#options.logger.warn(
            { hash, code, reason: message },
            'cannot prepare an on-demand program ahead',
          )
        })
      }
    })
  }
}

function fresh(): Desired {
  return { state: 'planned', attempts: 0, error: null, nextRetryAt: null, startedAt: null }
}

function running(): Partial<Desired> {
  return { state: 'running', error: null, nextRetryAt: null, startedAt: Date.now() }
}

function isAlive(state: string | undefined): boolean {
  return state === 'running' || state === 'booting' || state === 'defined'
}
