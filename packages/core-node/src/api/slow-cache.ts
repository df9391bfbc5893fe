/** A value is kept this many times as long as it took, but never longer than the maximum. */
const keepFactor = 20
const longestMs = 300_000
/** A value that took longer is told again while it is being renewed. */
const slowMs = 20
const mostEntries = 1000

interface Entry<T> {
  value: T
  tookMs: number
  /** When it should be computed again, as `performance.now()` tells the time. */
  until: number
}

/**
 * Remembers what takes long to compute: quick values stay exact, and slow ones cost a small share of the node's time and
 * make nobody wait twice.
 */
export class SlowCache<T> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #running = new Map<string, Promise<T>>()
  readonly #onError: (error: unknown) => void

  /** @param onError hears of what failed while nobody waited for it */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /**
   * @param compute the value
   * @param preliminary told as long as there is no value, if it knows one
   */
  async get(
    key: string,
    compute: () => Promise<T>,
    preliminary: () => Promise<T | undefined> = async () => undefined,
  ): Promise<T> {
    const known = this.#entries.get(key)
    if (known && known.until > performance.now()) return known.value
    if (known && known.tookMs > slowMs) {
      this.#compute(key, compute).catch(this.#onError)
      return known.value
    }
    const first = await preliminary()
    if (first === undefined) return this.#compute(key, compute)
    this.#compute(key, compute).catch(this.#onError)
    return first
  }

  /** One computation of a key at a time. */
  #compute(key: string, compute: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key) ?? this.#timed(key, compute)
    this.#running.set(key, running)
    return running
  }

  async #timed(key: string, compute: () => Promise<T>): Promise<T> {
    const started = performance.now()
    try {
      const value = await compute()
      const now = performance.now()
      const tookMs = now - started
      this.#entries.delete(key)
      if (this.#entries.size >= mostEntries) this.#entries.delete(this.#entries.keys().next().value!)
      this.#entries.set(key, { value, tookMs, until: now + Math.min(longestMs, tookMs * keepFactor) })
      return value
    } finally {
      this.#running.delete(key)
    }
  }
}
