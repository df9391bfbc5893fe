import { Amount } from '../pricing/decimal.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'
import { creditPostTypes } from './credit-post.ts'

/** A token that credits can be bought with, and for how much. */
export type CreditSale = NetworkProfile['creditSales'][number]

/** Tokens that somebody sent to the network's credit contract (protocol 04 §19.2). */
export interface CreditPurchase {
  /** Who paid and gets the credits. */
  buyer: string
  /** In the token's smallest unit. */
  value: bigint
  txHash: string
  /** Place of the transfer in its block: a transaction may hold several. */
  logIndex: number
  /** Time of the block, epoch seconds. */
  time: number
}

/**
 * Credits for a payment, rounded down, the bonus included.
 *
 * @returns both 0 when the payment buys not even one credit
 */
export function creditsBought(value: bigint, sale: CreditSale): { credits: bigint; bonus: bigint } {
  const unit = new Amount(10).pow(sale.decimals)
  const plain = BigInt(new Amount(value.toString()).times(sale.creditsPerToken).div(unit).floor().toFixed(0))
  const bonus = (plain * BigInt(sale.bonusPercent)) / 100n
  return { credits: plain + bonus, bonus }
}

/**
 * The content of the post that gives a buyer the credits, the same for everybody who makes it: so a purchase makes
 * one message, however often it is announced. Null when it buys nothing.
 */
export function distributionPost(purchase: CreditPurchase, sale: CreditSale): Record<string, unknown> | null {
  const { credits, bonus } = creditsBought(purchase.value, sale)
  if (credits === 0n || credits > BigInt(Number.MAX_SAFE_INTEGER)) return null
  const credit = {
    address: purchase.buyer,
    amount: Number(credits),
    price: new Amount(1).div(sale.creditsPerToken).toString(),
    tx_hash: purchase.txHash,
    provider: 'WALLET',
    ref: `${purchase.txHash}:${purchase.logIndex}`,
    payment_method: 'token_transfer',
    ...(bonus > 0n ? { bonus_amount: Number(bonus) } : {}),
  }
  return {
    time: purchase.time,
    type: creditPostTypes.distribution,
    content: { distribution: { token: sale.token, chain: sale.chain, credits: [credit] } },
  }
}

/** ALEPH that one credit is worth where the network sells credits for ALEPH, decimal text; "0" where it does not. */
export function creditPriceAleph({ creditSales }: Pick<NetworkProfile, 'creditSales'>): string {
  const sale = creditSales.find(({ token }) => token === 'ALEPH')
  return sale ? new Amount(1).div(sale.creditsPerToken).toString() : '0'
}
