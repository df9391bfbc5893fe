import type { Logger } from 'pino'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import type { WorkloadHost } from '../workloads.ts'
import { type Payments, paymentTolerance } from './payments.ts'

/** A message must look gone this often in a row before its VM ends: one confused server is no reason. */
const GONE_PASSES = 3

export interface PaymentMonitorOptions {
  payments: Payments
  messages: MessageSource
  reconciler: Reconciler
  workloads: WorkloadHost
  /** Time between two passes; 0: never. */
  intervalMs: number
  logger: Logger
}

/** Ends VMs that came by `notify` when their message is gone or nobody pays for them (protocol 05 §15). */
export class PaymentMonitor {
  readonly #options: PaymentMonitorOptions
  readonly #goneFor = new Map<string, number>()
  #timer: NodeJS.Timeout | null = null
  #pass: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: PaymentMonitorOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#options.intervalMs > 0) this.#arm()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#pass
  }

  #arm(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#pass = this.check()
        .catch((error: unknown) => this.#options.logger.error({ err: error }, 'payment check failed'))
        .finally(() => this.#arm())
    }, this.#options.intervalMs)
    this.#timer.unref()
  }

  /** One pass over everything that runs because its owner asked. */
  async check(): Promise<void> {
    const { reconciler, messages } = this.#options
    const byOwner = new Map<string, string[]>()
    for (const hash of reconciler.planned()) {
      if (await this.#isGone(hash)) {
        await this.#end(hash, 'its message is gone')
        continue
      }
      if (reconciler.notifiedPayment(hash) !== 'credit') continue
      const { content } = await messages.get(hash)
      const owner = String((content as { address?: unknown }).address)
      byOwner.set(owner, [...(byOwner.get(owner) ?? []), hash])
    }
    for (const [owner, hashes] of byOwner) await this.#checkCredits(owner, hashes)
  }

  /** The VMs that came last end first, until the rest can be paid. */
  async #checkCredits(owner: string, hashes: string[]): Promise<void> {
    const { payments, logger } = this.#options
    try {
      const costs = await Promise.all(hashes.map((hash) => payments.cost(hash)))
      const { credits } = await payments.balance(owner)
      let required = costs.reduce((sum, cost) => sum + cost, 0)
      for (let last = hashes.length - 1; last >= 0 && credits < required - paymentTolerance; last--) {
        required -= costs[last] as number
        await this.#end(hashes[last] as string, 'its owner has no credits left')
      }
    } catch (error) {
      // Who cannot be asked cannot say that somebody does not pay.
      if (!(error instanceof AgentError)) throw error
      logger.warn({ owner, reason: error.message }, 'payment of an owner could not be checked')
    }
  }

  async #isGone(hash: string): Promise<boolean> {
    const gone = await this.#options.messages.isGone(hash)
    const passes = gone ? (this.#goneFor.get(hash) ?? 0) + 1 : 0
    if (passes === 0) this.#goneFor.delete(hash)
    else this.#goneFor.set(hash, passes)
    return passes >= GONE_PASSES
  }

  async #end(hash: string, reason: string): Promise<void> {
    const { logger, reconciler, workloads } = this.#options
    logger.warn({ hash, reason }, 'ending a VM')
    this.#goneFor.delete(hash)
    await reconciler.dismiss(hash)
    await workloads.stop(hash)
  }
}
