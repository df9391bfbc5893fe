import type { Logger } from 'pino'
import { type AgentError, toAgentError } from '../errors.ts'
import type { VmHost } from '../vm-host.ts'
import type { WorkloadHost } from '../workloads.ts'
import type { NotifiedPayment, Plan, PlanFile } from './plan.ts'
import { Wishes } from './wishes.ts'

const MAX_CONCURRENT_STARTS = 3
const STABLE_MS = 60_000

export interface ReconcilerOptions {
  workloads: WorkloadHost
  /** Fetches what an on-demand program needs, ahead of its first call. */
  prefetch: (hash: string) => Promise<void>
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
  /** `waiting`: for something only its owner can do. `ended`: by this node. */
  state: 'planned' | 'starting' | 'running' | 'waiting' | 'failed' | 'ended'
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

/** What a version 2 plan changes (protocol 05 §20). */
export interface PlanChange {
  accepted: string[]
  unchanged: string[]
  removing: string[]
  /** VMs the plan does not name that stay, and why. */
  retained: Record<string, string>
}

/**
 * Makes the node run what the plan says, again and again: starts what is missing, restarts what died with
 * growing pauses, stops what is no longer listed, and fetches on-demand programs ahead.
 */
export class Reconciler {
  readonly #options: Required<ReconcilerOptions>
  readonly #wishes: Wishes
  readonly #desired = new Map<string, Desired>()
  readonly #attempts = new Map<string, Promise<void>>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #waiting: string[] = []
  #interval: NodeJS.Timeout | null = null
  #prefetching: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: ReconcilerOptions) {
    this.#options = { backoffMs: 2_000, maxBackoffMs: 300_000, intervalMs: 60_000, ...options }
    this.#wishes = new Wishes(options.planFile)
  }

  /** Goes on with the plan of the last run. */
  async start(): Promise<void> {
    const { vms, intervalMs, logger } = this.#options
    const stored = await this.#wishes.load().catch((error: unknown) => {
      logger.error({ err: error }, 'stored plan is damaged; waiting for the next push')
      return false
    })
    vms.on('state', ({ id }) => this.#look(id))
    this.#interval = setInterval(() => this.#lookAtAll(), intervalMs)
    if (stored) this.#adoptInBackground()
  }

  /** Which protocol the last plan came by. */
  get governedBy(): 'v1' | 'v2' | null {
    return this.#wishes.state.governedBy
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

  /** Leaves a VM alone, because its owner stopped it: until the next push, notify or `resume` (protocol 05 §10). */
  async release(hash: string): Promise<void> {
    await this.#wishes.release(hash)
    this.#forget(hash)
  }

  /** Undoes `release`; false when nobody ever asked for the VM here. */
  async resume(hash: string): Promise<boolean> {
    if (!(await this.#wishes.resume(hash))) return false
    this.#want(hash)
    return true
  }

  /** Forgets that the VM's owner asked for it here, and leaves it alone. */
  async dismiss(hash: string): Promise<void> {
    await this.#wishes.dismiss(hash)
    await this.release(hash)
  }

  /** Wants the VM no more for a reason of this node's own, which `allocation` tells until it is wanted again. */
  async end(hash: string, reason: { code: string; message: string }): Promise<void> {
    await this.#wishes.end(hash, reason)
    this.#forget(hash)
  }

  /** How the VM's owner, who asked for it here, pays for it; undefined for a VM of the plan. */
  notifiedPayment(hash: string): NotifiedPayment | undefined {
    return this.#wishes.state.notified[hash]
  }

  /** How far the node is with a planned VM, or why it ended it. */
  allocation(hash: string): Allocation | undefined {
    const desired = this.#desired.get(hash)
    const ended = this.#wishes.state.ended[hash]
    if (!desired) return ended && { state: 'ended', attempts: 0, error: ended, nextRetryAt: null }
    const { state, attempts, error, nextRetryAt } = desired
    return { state, attempts, error, nextRetryAt }
  }

  /** Every VM of the plan that should run all the time. */
  planned(): string[] {
    return [...this.#desired.keys()]
  }

  /** Every program of the plan that starts at its first request. */
  onDemand(): string[] {
    return this.#wishes.state.on_demand_vms
  }

  /**
   * Takes over a new plan, durably, and waits at most `waitMs` for it to be real. Starts that take longer go
   * on in the background and are reported as failing with the reason `still starting`.
   */
  async apply(plan: Plan, waitMs: number): Promise<PlanOutcome> {
    await this.#wishes.plan(plan)
    const stopped = await this.#adopt()
    const hashes = [...plan.persistent_vms, ...plan.instances]
    await this.#settledWithin(hashes, waitMs)
    return this.#outcome(hashes, stopped)
  }

  /** Takes over a version 2 plan, durably; everything it asks for happens in the background. */
  async applyV2(hashes: string[]): Promise<PlanChange> {
    const change: PlanChange = { accepted: [], unchanged: [], removing: [], retained: {} }
    const wanted = new Set(hashes)
    for (const hash of wanted) change[this.#desired.has(hash) ? 'unchanged' : 'accepted'].push(hash)
    for (const { id, kind, state } of this.#options.vms.list()) {
      if (wanted.has(id) || !isAlive(state)) continue
      const payment = this.notifiedPayment(id)
      if (payment === 'superfluid') change.retained[id] = 'payment_stream'
      else if (payment !== undefined) change.retained[id] = 'payment_credit'
      else if (kind === 'on-demand') change.retained[id] = 'non_persistent'
      else change.removing.push(id)
    }
    await this.#wishes.planV2([...wanted])
    this.#adoptInBackground()
    return change
  }

  /** Runs a VM because its owner asked for it here, durably; waits at most `waitMs` for it (protocol 05 §9.2). */
  async notify(hash: string, payment: NotifiedPayment, waitMs: number): Promise<PlanOutcome> {
    await this.#wishes.notify(hash, payment)
    this.#want(hash)
    await this.#settledWithin([hash], waitMs)
    return this.#outcome([hash], [])
  }

  #want(hash: string): void {
    const desired = this.#desired.get(hash)
    if (!desired) this.#desired.set(hash, fresh())
    else if (desired.state === 'waiting') desired.state = 'planned'
    else this.#retryNow(hash)
    this.#look(hash)
  }

  async #settledWithin(hashes: string[], waitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs)
    })
    await Promise.race([this.#settled(hashes), timeout])
    clearTimeout(timer)
  }

  #adoptInBackground(): void {
    const { logger } = this.#options
    this.#adopt().catch((error: unknown) => logger.error({ err: error }, 'the plan could not be adopted'))
  }

  async #adopt(): Promise<string[]> {
    const { wanted } = this.#wishes
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
    this.#prefetch(this.onDemand())
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
          await this.#options.workloads.stop(hash)
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
    if (desired.state === 'waiting') return
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
    const attempt = this.#options.workloads.ensureRunning(hash).then(
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
    if (error.code === 'awaiting_owner') {
      Object.assign(desired, { state: 'waiting', attempts: 0, error: null })
      return
    }
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

  #outcome(hashes: string[], stopped: string[]): PlanOutcome {
    const outcome: PlanOutcome = { successful: [], failing: [], stopped, errors: {} }
    for (const hash of hashes) {
      const desired = this.#desired.get(hash)
      if (desired?.state === 'running' || desired?.state === 'waiting') outcome.successful.push(hash)
      else {
        outcome.failing.push(hash)
        outcome.errors[hash] = desired?.error
          ? `${desired.error.code}: ${desired.error.message}`
          : 'still starting'
      }
    }
    return outcome
  }

  #prefetch(hashes: string[]): void {
    this.#prefetching = this.#prefetching.then(async () => {
      for (const hash of hashes) {
        if (this.#stopped || this.onDemand() !== hashes) return
        await this.#options.prefetch(hash).catch((error: unknown) => {
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

/** Whether a VM runs, or is about to. */
export function isAlive(state: string | undefined): boolean {
  return state === 'running' || state === 'booting' || state === 'defined'
}
