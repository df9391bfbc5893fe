const longestMs = 60_000
const mostEntries = 1000

/** Remembers counts of long lists for a minute: exact enough for a page indicator, and never a slow query twice. */
export class CountCache {
  readonly #entries = new Map<string, { count: Promise<number>; until: number }>()

  get(key: string, count: () => Promise<number>): Promise<number> {
    const known = this.#entries.get(key)
    if (known && known.until > Date.now()) return known.count
    const entry = { count: count(), until: Date.now() + longestMs }
    entry.count.catch(() => this.#entries.delete(key))
    this.#entries.delete(key)
    if (this.#entries.size >= mostEntries) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(key, entry)
    return entry.count
  }
}
