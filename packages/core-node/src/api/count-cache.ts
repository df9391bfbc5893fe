/** A count is kept this many times as long as it took, but never longer than the maximum. */
const keepFactor = 20
const longestMs = 300_000
const mostEntries = 1000

interface Entry {
  count: Promise<number>
  /** Infinity while counting. */
  until: number
}

/** Remembers slow counts, so that they cost a small share of the node's time; quick ones stay exact. */
export class CountCache {
  readonly #entries = new Map<string, Entry>()

  get(key: string, count: () => Promise<number>): Promise<number> {
    const known = this.#entries.get(key)
    if (known && known.until > performance.now()) return known.count
    const entry: Entry = { count: this.#timed(key, count), until: Number.POSITIVE_INFINITY }
    this.#entries.delete(key)
    if (this.#entries.size >= mostEntries) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(key, entry)
    return entry.count
  }

  async #timed(key: string, count: () => Promise<number>): Promise<number> {
    const started = performance.now()
    try {
      const result = await count()
      const now = performance.now()
      const entry = this.#entries.get(key)
      if (entry) entry.until = now + Math.min(longestMs, (now - started) * keepFactor)
      return result
    } catch (error) {
      this.#entries.delete(key)
      throw error
    }
  }
}
