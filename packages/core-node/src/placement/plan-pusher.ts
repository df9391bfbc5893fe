import { z } from 'zod'
import type { CoreNodeContext } from '../context.ts'
import type { ComputeNodeCalls } from './compute-node-calls.ts'
import type { WorkloadKind } from './workloads.ts'

/** Everything one compute node has to run, as it is sent (protocol 06 §7.4). */
export interface NodePlan {
  persistent_vms: string[]
  instances: string[]
  on_demand_vms: string[]
  v_programs: string[]
}

/** The list of a plan each kind of workload goes into. */
export const planListOf = {
  persistent_program: 'persistent_vms',
  instance: 'instances',
  on_demand_program: 'on_demand_vms',
  v_program: 'v_programs',
} as const satisfies Record<WorkloadKind, keyof NodePlan>

export interface PlanPusherOptions {
  calls: ComputeNodeCalls
  logger: CoreNodeContext['logger']
  /** Hears what a compute node could not start: by VM, why. */
  onFailing?: (url: string, errors: Record<string, string>) => void
  refreshMs?: number
  firstRetryMs?: number
  lastRetryMs?: number
  /** A compute node may boot VMs before it answers. */
  answerMs?: number
}

interface Target {
  url: string
  body: string
  /** The body has changed since the last push began. */
  changed: boolean
  pushing: Promise<void> | undefined
  retryMs: number
  timer: NodeJS.Timeout | undefined
}

const path = '/control/allocations'
const failingSchema = z.looseObject({ errors: z.record(z.string(), z.string()) })
const maxReasonCharacters = 500

/**
 * Sends each compute node its whole plan with a signed request (protocol 05 §4.4, 06 §7.4): at once when it changes,
 * every minute as a refresh, and after a failure with growing pauses.
 */
export class PlanPusher {
  readonly #options: PlanPusherOptions
  readonly #targets = new Map<string, Target>()
  readonly #stopped = new AbortController()

  constructor(options: PlanPusherOptions) {
    this.#options = options
  }

  /**
   * Sets the plans of all compute nodes by their base URL; nodes left out are not told anything any more.
   *
   * @param kept nodes that keep the plan they were told last, if they are left out
   */
  setPlans(plans: Map<string, NodePlan>, kept: ReadonlySet<string> = new Set()): void {
    if (this.#stopped.signal.aborted) return
    for (const [url, target] of this.#targets) {
      if (plans.has(url) || kept.has(url)) continue
      clearTimeout(target.timer)
      this.#targets.delete(url)
    }
    for (const [url, plan] of plans) {
      const body = JSON.stringify(plan)
      const target = this.#targets.get(url) ?? newTarget(url)
      if (target.body === body) continue
      this.#targets.set(url, target)
      target.body = body
      target.changed = true
      this.#pushIn(target, 0)
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('this node is stopping'))
    const targets = [...this.#targets.values()]
    for (const target of targets) clearTimeout(target.timer)
    this.#targets.clear()
    await Promise.all(targets.map((target) => target.pushing))
  }

  #pushIn(target: Target, delayMs: number): void {
    // A push under way looks at `changed` when it ends.
    if (target.pushing) return
    clearTimeout(target.timer)
    target.timer = setTimeout(() => {
      target.pushing = this.#push(target).then((delivered) => {
        target.pushing = undefined
        if (this.#targets.get(target.url) === target) this.#pushIn(target, this.#pause(target, delivered))
      })
    }, delayMs)
  }

  #pause(target: Target, delivered: boolean): number {
    const { refreshMs = 60_000, firstRetryMs = 5_000, lastRetryMs = 300_000 } = this.#options
    if (delivered) {
      target.retryMs = 0
      return target.changed ? 0 : refreshMs
    }
    target.retryMs = Math.min(lastRetryMs, target.retryMs === 0 ? firstRetryMs : target.retryMs * 2)
    return target.retryMs
  }

  /** @returns whether the compute node took the plan; VMs of it that failed there are its own to retry */
  async #push(target: Target): Promise<boolean> {
    const { calls, logger, answerMs = 180_000 } = this.#options
    target.changed = false
    try {
      const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(answerMs)])
      const { status, text } = await calls.post(target.url, path, { body: target.body, signal })
      const answer = text.slice(0, maxReasonCharacters)
      this.#tellFailing(target.url, text)
      if (status >= 200 && status < 300) {
        if (status === 207)
          logger.warn({ node: target.url, answer }, 'a compute node could not start all VMs')
        return true
      }
      logger.warn({ node: target.url, status, answer }, 'a compute node refused its plan')
    } catch (error) {
      if (this.#stopped.signal.aborted) return false
      logger.warn(
        { node: target.url, reason: (error as Error).message },
        'a compute node could not be told its plan',
      )
    }
    return false
  }

  #tellFailing(url: string, answer: string): void {
    const { onFailing } = this.#options
    if (!onFailing || !answer.startsWith('{')) return
    const parsed = failingSchema.safeParse(parseJson(answer))
    if (parsed.success) onFailing(url, parsed.data.errors)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function newTarget(url: string): Target {
  return { url, body: '', changed: false, pushing: undefined, retryMs: 0, timer: undefined }
}
