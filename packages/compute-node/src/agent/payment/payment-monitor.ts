import type { Logger } from 'pino'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import type { WorkloadHost } from '../workloads.ts'
import { type PaymentAccount, paymentAccounts, shortfall } from './payment-account.ts'
import type { Payments } from './payments.ts'

/** A message must look gone this often in a row before its VM ends: one confused server is no reason. */
const GONE_PASSES = 3
/** Too little must flow, or be there, this often in a row: whoever changes a stream may close it for a moment. */
const UNPAID_PASSES = 2

export interface PaymentMonitorOptions {
  payments: Payments
  messages: MessageSource
  reconciler: Reconciler
  workloads: WorkloadHost
  logger: Logger
}

/** Ends VMs whose message is gone or whom nobody pays for any more (protocol 05 §15). */
export class PaymentMonitor {
  readonly #options: PaymentMonitorOptions
  readonly #goneFor = new Map<string, number>()
  readonly #unpaidFor = new Map<string, number>()

  constructor(options: PaymentMonitorOptions) {
    this.#options = options
  }

  /** One pass over everything that is to run here. */
  async check(): Promise<void> {
    const { reconciler, messages } = this.#options
    for (const hash of reconciler.planned()) {
      const gone = await messages.isGone(hash)
      if (count(this.#goneFor, hash, gone) < GONE_PASSES) continue
      await this.#end(hash, { code: 'message_gone', message: 'The message of this VM is gone' })
    }
    for (const account of await paymentAccounts(reconciler, messages)) await this.#checkAccount(account)
  }

  /** The VMs that came last end first, until the rest is paid. */
  async #checkAccount(account: PaymentAccount): Promise<void> {
    const { payments, logger } = this.#options
    const { vms, payer } = account
    try {
      const covered = await payments.covered(account)
      for (const [index, { hash }] of vms.entries()) {
        if (count(this.#unpaidFor, hash, index >= covered) < UNPAID_PASSES) continue
        await this.#end(hash, { code: 'payment_required', message: shortfall(account) })
      }
    } catch (error) {
      // Who cannot be asked cannot say that somebody does not pay.
      if (!(error instanceof AgentError)) throw error
      logger.warn({ payer, reason: error.message }, 'payment could not be checked')
    }
  }

  async #end(hash: string, reason: { code: string; message: string }): Promise<void> {
    const { logger, reconciler, workloads } = this.#options
    logger.warn({ hash, reason: reason.message }, 'ending a VM')
    this.#goneFor.delete(hash)
    this.#unpaidFor.delete(hash)
    await reconciler.end(hash, reason)
    await workloads.stop(hash)
  }
}

/** How often in a row it has been so, this time included. */
function count(passes: Map<string, number>, hash: string, isSo: boolean): number {
  const times = isSo ? (passes.get(hash) ?? 0) + 1 : 0
  if (times === 0) passes.delete(hash)
  else passes.set(hash, times)
  return times
}
