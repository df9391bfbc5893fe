import {
  type BillingWindow,
  creditPriceAleph,
  type ExpenseEntry,
  type ExpenseKind,
  executionExpenses,
  expensePost,
  storageExpenses,
} from '@aleph-ts/protocol'
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

/** Contents of the posts; null when nobody owes anything. */
type Bills = Record<ExpenseKind, Record<string, unknown> | null>

const pollMs = 5_000

/**
 * Bills every hour (as the profile says) what VMs and files paid in credits cost in it, VMs by who had them when
 * (protocol 02 §14.3). Each hour is billed once: a bill is written down before it is published, what is written down
 * does not change, and of the bills of several billers the ledger takes one. Hours before this node took up the duty are
 * nobody's to bill.
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
    const { windowSeconds, graceSeconds } = this.#options.context.profile.billing
    const due = Math.floor((now - graceSeconds) / windowSeconds) * windowSeconds
    const last = await this.#lastBilled()
    if (last === null) await this.#writeDown(due, { execution: null, storage: null })
    for (let end = (last ?? due) + windowSeconds; end <= due; end += windowSeconds) {
      await this.#writeDown(end, await this.#bill({ start: end - windowSeconds, end }))
    }
    await this.#publishBills()
  }

  /** @throws {Error} without a registry: nobody knows then whose word counts */
  async #bill(window: BillingWindow): Promise<Bills> {
    const { context, registry } = this.#options
    const { pool, profile } = context
    const { corechannel } = registry
    if (!corechannel) throw new Error('There is no registry of nodes yet')
    const charges = await loadCreditCharges(pool, window)
    const leases = await loadLeases(pool, corechannel, {
      until: window.end,
      scheduler: profile.placement.scheduler,
    })
    const post = (kind: ExpenseKind, entries: ExpenseEntry[]) =>
      expensePost(entries, window, { kind, creditPriceAleph: creditPriceAleph(profile) })
    return {
      execution: post('execution', executionExpenses(charges, leases, window)),
      storage: post('storage', storageExpenses(charges, window)),
    }
  }

  async #lastBilled(): Promise<number | null> {
    const { rows } = await this.#options.context.pool.query<{ last: bigint | null }>(
      'select max(window_end) as last from credit_bills',
    )
    return rows[0]?.last == null ? null : Number(rows[0].last)
  }

  /** Both bills of a window at once: what is half written down would never be made good. */
  async #writeDown(windowEnd: number, bills: Bills): Promise<void> {
    const contents = Object.values(bills).map((content) => content && JSON.stringify(content))
    await this.#options.context.pool.query(
      `insert into credit_bills (window_end, kind, content, published)
       select $1, kind, content, content is null from unnest($2::text[], $3::text[]) as bill(kind, content)
       on conflict do nothing`,
      [windowEnd, Object.keys(bills), contents],
    )
  }

  async #publishBills(): Promise<void> {
    const { context, key } = this.#options
    const { pool, profile, logger } = context
    const { rows } = await pool.query<{ window_end: bigint; kind: ExpenseKind; content: string }>(
      'select window_end, kind, content from credit_bills where not published order by window_end, kind',
    )
    for (const { window_end, kind, content } of rows) {
      const channel = profile.channels.credits[0] ?? profile.channels.default
      const message = { type: 'POST' as const, channel, content: JSON.parse(content) }
      const itemHash = await publishOwnMessage(context, key, message)
      await pool.query('update credit_bills set published = true where window_end = $1 and kind = $2', [
        window_end,
        kind,
      ])
      logger.info({ itemHash, kind, until: Number(window_end) }, 'credits billed')
    }
  }
}
