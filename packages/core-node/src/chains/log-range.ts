const successesBeforeRetry = 50

/**
 * How many blocks to ask for at once. Nobody tells the limit, and it depends on how many events the blocks
 * hold: so halve after a refusal, and grow towards the size last refused without asking for it again; only a long
 * row of answers makes us forget it.
 */
export class LogRange {
  readonly #max: number
  #size: number
  #refused = Number.POSITIVE_INFINITY
  #successes = 0

  constructor(options: { initial: number; max: number }) {
    this.#size = Math.min(options.initial, options.max)
    this.#max = options.max
  }

  /** Blocks to ask for now; at least 1. */
  get size(): number {
    return this.#size
  }

  /** A range of the full size was answered. */
  grow(): void {
    this.#successes++
    if (this.#successes % successesBeforeRetry === 0) this.#refused = Number.POSITIVE_INFINITY
    const halfway = Math.floor((this.#size + this.#refused) / 2)
    const next = Math.max(this.#size + 1, Math.floor(this.#size * 1.5))
    this.#size = Math.max(this.#size, Math.min(next, halfway, this.#max))
  }

  /** @returns false when a single block was refused: asking for less is not possible */
  shrink(refusedBlocks: number): boolean {
    this.#successes = 0
    // One block alone is not too much: the provider is in trouble, and no size was learnt.
    this.#refused = refusedBlocks > 1 ? refusedBlocks : Number.POSITIVE_INFINITY
    this.#size = Math.max(1, Math.floor(refusedBlocks / 2))
    return refusedBlocks > 1
  }
}
