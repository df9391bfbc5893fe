/** How much somebody may use: a stock that fills up with time. */
export class TokenBucket {
  readonly #capacity: number
  readonly #perSecond: number
  #tokens: number
  #filledAtMs: number

  constructor(options: { capacity: number; perSecond: number; nowMs?: number }) {
    this.#capacity = options.capacity
    this.#perSecond = options.perSecond
    this.#tokens = options.capacity
    this.#filledAtMs = options.nowMs ?? performance.now()
  }

  /** Whole tokens that are there. */
  available(nowMs = performance.now()): number {
    this.#fill(nowMs)
    return Math.max(0, Math.floor(this.#tokens))
  }

  /** Takes tokens when they are there. */
  take(count: number, nowMs = performance.now()): boolean {
    this.#fill(nowMs)
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }

  /**
   * Takes tokens even when they are not there yet.
   *
   * @returns how long to wait until they would have been, ms
   */
  borrow(count: number, nowMs = performance.now()): number {
    this.#fill(nowMs)
    this.#tokens -= count
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000
  }

  /** Nothing was taken for so long that the bucket is full again. */
  isFull(nowMs = performance.now()): boolean {
    this.#fill(nowMs)
    return this.#tokens >= this.#capacity
  }

  #fill(nowMs: number): void {
    const passed = Math.max(0, nowMs - this.#filledAtMs) / 1000
    this.#tokens = Math.min(this.#capacity, this.#tokens + passed * this.#perSecond)
    this.#filledAtMs = nowMs
  }
}
