import { Amount } from '../pricing/decimal.ts'

/** Below this score a node gets no VMs. */
export const minimumScore = 0.2
export const maxWeight = 16

/**
 * How much of its share a node keeps: 0 up to a score of 0.2, all of it from 0.8 on, linear between. In decimals, of
 * the score as it is written: what is on a boundary must not hang on binary fractions.
 */
export function scoreShare(score: number): Amount {
  if (!(score > 0.2)) return new Amount(0)
  return score >= 0.8 ? new Amount(1) : new Amount(score).sub('0.2').div('0.6')
}

/** {@link scoreShare} as a number. */
export function scoreMultiplier(score: number): number {
  return scoreShare(score).toNumber()
}

/** The weight of a node in placement: 0 when ineligible, else 1 to 16 (protocol 06 §8.2). */
export function nodeWeight(score: number): number {
  if (!(score >= minimumScore)) return 0
  if (score >= 0.8) return maxWeight
  return Math.max(1, new Amount(score).sub('0.2').mul(maxWeight).div('0.6').floor().toNumber())
}
