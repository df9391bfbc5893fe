interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * Groups calls into one write: while a write runs, newcomers collect and go together in the next one, so that a busy
 * node pays one disk flush for many messages and an idle one adds no delay. Items that nobody waits for may have
 * patience: they go with the next write that is needed, or when their time is up.
 */
export class GroupCommit<Item, Result> {
  readonly #write: (items: Item[]) => Promise<Result[]>
  readonly #largest: number
  #waiting: Waiting<Item, Result>[] = []
  #writing = false
  /** When the next write is needed, on the clock of `performance.now()`. */
  #dueMs = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** @param write stores the items of a group and returns one result for each, in order */
  constructor(write: (items: Item[]) => Promise<Result[]>, largest: number) {
    this.#write = write
    this.#largest = largest
  }

  /** Items that wait for a write. */
  get waiting(): number {
    return this.#waiting.length
  }

  /**
   * Resolves when the item's group has been written; rejects when that write failed.
   *
   * @param patienceMs how long the item may wait for others to share its write
   */
  add(item: Item, patienceMs = 0): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.#waiting.push({ item, resolve, reject })
    this.#dueMs = Math.min(this.#dueMs, performance.now() + patienceMs)
    this.#plan()
    return promise
  }

  #plan(): void {
    if (this.#writing || this.#waiting.length === 0) return
    const delayMs = this.#dueMs - performance.now()
    clearTimeout(this.#timer)
    if (delayMs > 0 && this.#waiting.length < this.#largest) {
      this.#timer = setTimeout(() => this.#plan(), delayMs)
      return
    }
    this.#writing = true
    // The rest of this tick may bring more.
    setImmediate(() => this.#writeGroup())
  }

  async #writeGroup(): Promise<void> {
    const group = this.#waiting.splice(0, this.#largest)
    this.#dueMs = this.#waiting.length > 0 ? 0 : Number.POSITIVE_INFINITY
    try {
      const results = await this.#write(group.map((entry) => entry.item))
      for (const [index, entry] of group.entries()) entry.resolve(results[index]!)
    } catch (error) {
      for (const entry of group) entry.reject(error)
    }
    this.#writing = false
    this.#plan()
  }
}
