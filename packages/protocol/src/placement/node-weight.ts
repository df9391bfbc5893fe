/** Below this score a node gets no VMs. */
export const minimumScore = 0.2
const fullScore = 0.8
export const maxWeight = 16

/** How much of its share a node keeps: 0 up to a score of 0.2, all of it from 0.8 on, linear between. */
export function scoreMultiplier(score: number): number {
  return Math.min(1, Math.max(0, (score - minimumScore) / (fullScore - minimumScore)))
}

/** The weight of a node in placement: 0 when ineligible, else 1 to 16 (protocol 06 §8.2). */
export function nodeWeight(score: number): number {
  if (!(score >= minimumScore)) return 0
  return Math.max(1, Math.floor(maxWeight * scoreMultiplier(score)))
}
