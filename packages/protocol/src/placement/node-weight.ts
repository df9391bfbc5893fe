/** Below this score a node gets no VMs. */
export const minimumScore = 0.2
export const maxWeight = 16

/** Scores are compared in whole millionths: the boundaries of weights must not hang on binary fractions. */
const million = 1_000_000
const noShare = 0.2 * million
const fullShare = 0.8 * million

function shareMillionths(score: number): number {
  return Math.min(fullShare, Math.max(noShare, Math.round(score * million))) - noShare
}

/** How much of its share a node keeps: 0 up to a score of 0.2, all of it from 0.8 on, linear between. */
export function scoreMultiplier(score: number): number {
  return shareMillionths(score) / (fullShare - noShare)
}

/** The weight of a node in placement: 0 when ineligible, else 1 to 16 (protocol 06 §8.2). */
export function nodeWeight(score: number): number {
  if (!(score >= minimumScore)) return 0
  return Math.max(1, Math.floor((maxWeight * shareMillionths(score)) / (fullShare - noShare)))
}
