/** Remembers about the last `size` keys, in bounded memory: two generations, the older one forgotten as a whole. */
export class RecentSet {
  readonly #generationSize: number
  #young = new Set<string>()
  #old = new Set<string>()

  constructor(size: number) {
    this.#generationSize = Math.max(1, Math.ceil(size / 2))
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key)
  }

  /** Returns false when the key was there already. */
  add(key: string): boolean {
    if (this.has(key)) return false
    this.#young.add(key)
    if (this.#young.size >= this.#generationSize) {
      this.#old = this.#young
      this.#young = new Set()
    }
    return true
  }
}
