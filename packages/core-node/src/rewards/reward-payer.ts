import { distributionContent, distributionPostType, type RewardTarget } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'
import { RepeatedWork } from '../repeated-work.ts'
import { readClock } from './confirmed-clock.ts'
import {
  finishDay,
  lastPaidDay,
  loadPayments,
  markPaid,
  planPayments,
  type RewardPayment,
  saveTransaction,
} from './reward-payments.ts'
import { type DayRewards, daySeconds, type Rewards, RewardsUnavailableError } from './rewards.ts'
import type { TokenPayer } from './token-payer.ts'

export interface RewardPayerOptions {
  context: Pick<CoreNodeContext, 'pool' | 'profile' | 'inbox' | 'fileStore' | 'logger'>
  rewards: Rewards
  payer: TokenPayer
  /** The key of the profile's `addresses.rewardsPayer`. */
  key: OperatorKey
  periodMs?: number
}

/** How often the node looks for a day that can be paid, and for what became of a payment, ms. */
const defaultPeriodMs = 5_000
const unitsOfAleph = 18

/**
 * Pays each day's rewards once the day is final: a batch transfer after another, each written down before it is sent,
 * and at the end a post that tells about it (protocol 06 §5.2).
 */
export class RewardPayer {
  readonly #options: RewardPayerOptions
  readonly #rounds: RepeatedWork

  constructor(options: RewardPayerOptions) {
    this.#options = options
    const { context, periodMs = defaultPeriodMs } = options
    this.#rounds = new RepeatedWork({
      work: () => this.#round(),
      pauseMs: () => periodMs,
      onError: (error) => {
        const isEarly = error instanceof RewardsUnavailableError
        if (!isEarly) context.logger.warn({ err: error }, 'rewards cannot be paid now; trying again')
      },
    })
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** @returns whether a day was finished, so that the next one may be looked at */
  async #round(): Promise<boolean> {
    const { context, rewards } = this.#options
    const { pool } = context
    const day = await this.#nextDay()
    if (day === null) return false
    const found = await rewards.ofDay(day)
    if (!found.closed) return false
    const units = Object.entries(found.rewards.paid).map(([address, aleph]): [string, string] => [
      address,
      inUnits(aleph),
    ])
    const payments = await planPayments(pool, day, units)
    for (const payment of payments) if (!payment.paid && !(await this.#pay(day, payment))) return false
    const itemHash = payments.length === 0 ? null : await this.#publish(found, await loadPayments(pool, day))
    await finishDay(pool, day, itemHash)
    if (itemHash) context.logger.info({ day, itemHash }, 'the rewards of a day are paid')
    return true
  }

  async #nextDay(): Promise<number | null> {
    const { pool, profile } = this.#options.context
    const last = await lastPaidDay(pool, this.#options.payer.address)
    if (last !== null) return dayOf(last) + daySeconds
    const { start } = await readClock(pool)
    return start === null ? null : dayOf(Math.max(start, profile.rewards.wageFrom ?? 0))
  }

  /** @returns whether the payment is final */
  async #pay(day: number, payment: RewardPayment): Promise<boolean> {
    const { payer, context } = this.#options
    const { pool, logger } = context
    const { position, nonce, raw_transaction: raw, tx_hash: hash } = payment
    if (raw !== null && hash !== null && nonce !== null) {
      const state = await payer.stateOf({ hash, nonce })
      if (state === 'final') {
        await markPaid(pool, day, position)
        return true
      }
      if (state === 'reverted' || state === 'void') {
        logger.warn({ day, position, hash, state }, 'a payment of rewards came to nothing; paying it anew')
        await saveTransaction(pool, day, position, null)
      }
      if (state === 'missing') await payer.send(raw)
      return false
    }
    const signed = await payer.sign(payment.targets)
    await saveTransaction(pool, day, position, signed)
    logger.info({ day, position, hash: signed.hash }, 'rewards go on chain')
    await payer.send(signed.raw)
    return false
  }

  #publish(found: DayRewards, payments: RewardPayment[]): Promise<string> {
    const { context, key } = this.#options
    const { profile } = context
    const content = distributionContent(found, profile.rewards, {
      status: 'distribution',
      startHeight: found.startHeight,
      targets: payments.map((payment) => targetOf(payment, key.address)),
    })
    return publishOwnMessage(context, key, {
      type: 'POST',
      channel: profile.channels.registry,
      content: { type: distributionPostType, content },
    })
  }
}

function targetOf({ targets, tx_hash, nonce }: RewardPayment, sender: string): RewardTarget {
  const units = Object.entries(targets).map(([address, text]) => [address, BigInt(text)] as const)
  const total = units.reduce((sum, [, amount]) => sum + amount, 0n)
  const aleph = (amount: bigint) => Number(amount) / 10 ** unitsOfAleph
  return {
    success: true,
    status: 'success',
    tx: tx_hash!,
    nonce: nonce!,
    chain: 'ETH',
    sender,
    targets: Object.fromEntries(units.map(([address, amount]) => [address, aleph(amount)])),
    total: aleph(total),
    contract_total: String(total),
  }
}

/** Decimal text with 18 decimals in whole units. */
function inUnits(aleph: string): string {
  const [whole = '0', fraction = ''] = aleph.split('.')
  return BigInt(whole + fraction.padEnd(unitsOfAleph, '0')).toString()
}

function dayOf(seconds: number): number {
  return Math.floor(seconds / daySeconds) * daySeconds
}
