import { type BillingWindow, creditPriceAleph, executionExpenses, expensePost } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'
import type { Registry } from '../registry/registry.ts'
import { RepeatedWork } from '../repeated-work.ts'
import { loadCreditCharges, loadLeases } from './credit-usage.ts'

export interface CreditBillerOptions {
  context: Pick<CoreNodeContext, 'profile' | 'pool' | 'inbox' | 'fileStore' | 'logger'>
  registry: Pick<Registry, 'corechannel'>
  /** The key of one of the profile's `addresses.credits`. */
  key: OperatorKey
}

/** Length of a bill, seconds. */
const windowSeconds = 3_600
/** What was published in a window has this long to arrive before the bill is made, seconds. */
const graceSeconds = 60
const pollMs = 5_000

/**
 * Bills every hour what VMs paid in credits used in it, by who had them when (protocol 02 §14.3). Each hour is billed
 * once: a bill is written down before it is published, and what is written down does not change. Hours before this node
 * took up the duty are nobody's to bill.
 */
export class CreditBiller {
  readonly #options: CreditBillerOptions
  readonly #rounds: RepeatedWork

  constructor(options: CreditBillerOptions) {
    this.#options = options
    this.#rounds = new RepeatedWork({
      work: () => this.billDue(Date.now() / 1000),
      pauseMs: () => pollMs,
      onError: (error) =>
        options.context.logger.warn({ err: error }, 'credits could not be billed; trying again'),
    })
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** Bills every hour that is over at a time (epoch seconds) and not billed yet. */
  async billDue(now: number): Promise<void> {
    const due = Math.floor((now - graceSeconds) / windowSeconds) * windowSeconds
    const last = await this.#lastBilled()
    if (last === null) await this.#writeDown(due, null)
    for (let end = (last ?? due) + windowSeconds; end <= due; end += windowSeconds) {
      const content = await this.#bill({ start: end - windowSeconds, end })
      await this.#writeDown(end, content)
    }
    await this.#publishBills()
  }

  /** @throws {Error} without a registry: nobody knows then whose word counts */
  async #bill(window: BillingWindow): Promise<Record<string, unknown> | null> {
    const { context, registry } = this.#options
    const { pool, profile } = context
    const { corechannel } = registry
    if (!corechannel) throw new Error('There is no registry of nodes yet')
    const charges = await loadCreditCharges(pool, window)
    const leases = await loadLeases(pool, corechannel, window.end)
    const entries = executionExpenses(charges, leases, window)
    return expensePost(entries, window, { creditPriceAleph: creditPriceAleph(profile) })
  }

  async #lastBilled(): Promise<number | null> {
    const { rows } = await this.#options.context.pool.query<{ last: bigint | null }>(
      'select max(window_end) as last from credit_bills',
    )
    return rows[0]?.last == null ? null : Number(rows[0].last)
  }

  async #writeDown(windowEnd: number, content: Record<string, unknown> | null): Promise<void> {
    await this.#options.context.pool.query(
      'insert into credit_bills (window_end, content, published) values ($1, $2, $3) on conflict do nothing',
      [windowEnd, content && JSON.stringify(content), content === null],
    )
  }

  async #publishBills(): Promise<void> {
    const { context, key } = this.#options
    const { pool, profile, logger } = context
    const { rows } = await pool.query<{ window_end: bigint; content: string }>(
      'select window_end, content from credit_bills where not published order by window_end',
    )
    for (const { window_end, content } of rows) {
      const channel = profile.channels.credits[0] ?? profile.channels.default
      const message = { type: 'POST' as const, channel, content: JSON.parse(content) }
      const itemHash = await publishOwnMessage(context, key, message)
      await pool.query('update credit_bills set published = true where window_end = $1', [window_end])
      logger.info({ itemHash, until: Number(window_end) }, 'credits billed')
    }
  }
}
