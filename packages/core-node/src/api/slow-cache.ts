/** A value is kept this many times as long as it took, but never longer than the maximum. */
const keepFactor = 100
const longestMs = 300_000
/** A value that took longer is told again while it is being renewed. */
const slowMs = 20
const mostEntries = 1000

interface Entry<T> {
  value: T
  tookMs: number
  /** When it was computed, as `performance.now()` tells the time. */
  at: number
  /** When it should be computed again. */
  until: number
}

/**
 * Remembers what takes long to compute: it costs a small share of the node's time and makes nobody wait twice, and what
 * is told is five minutes old at most.
 */
export class SlowCache<T> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #running = new Map<string, Promise<T>>()
  readonly #onError: (error: unknown) => void
  /** What nobody waits for is computed one after the other, so that the requests of the moment come first. */
  #queue: Promise<unknown> = Promise.resolve()

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
    const now = performance.now()
    if (known && known.until > now) return known.value
    const meanwhile = known ? oldValue(known, now) : await preliminary()
    if (meanwhile === undefined) return this.#compute(key, compute)
    this.#computeLater(key, compute)
    return meanwhile
  }

  #computeLater(key: string, compute: () => Promise<T>): void {
    if (this.#running.has(key)) return
    const turn = this.#queue.then(() => this.#timed(key, compute))
    this.#running.set(key, turn)
    this.#queue = turn.catch(this.#onError)
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
      this.#entries.set(key, {
        value,
        tookMs,
        at: now,
        until: now + Math.min(longestMs, tookMs * keepFactor),
      })
      return value
    } finally {
      this.#running.delete(key)
    }
  }
}

/** What may be told while it is being renewed: a value that took long and is not too old. */
function oldValue<T>({ value, tookMs, at }: Entry<T>, now: number): T | undefined {
  return tookMs > slowMs && now - at < longestMs ? value : undefined
}
