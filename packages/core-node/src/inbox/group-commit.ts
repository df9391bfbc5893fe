interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * Groups concurrent calls into one write: while a write runs, newcomers collect and go together in the next one, so
 * that a busy node pays one disk flush for many messages and an idle one adds no delay.
 */
export class GroupCommit<Item, Result> {
  readonly #write: (items: Item[]) => Promise<Result[]>
  readonly #largest: number
  #waiting: Waiting<Item, Result>[] = []
  #writing = false

  /** @param write stores the items of a group and returns one result for each, in order */
  constructor(write: (items: Item[]) => Promise<Result[]>, largest: number) {
    this.#write = write
    this.#largest = largest
  }

  /** Items that wait for a write. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves when the item's group has been written; rejects when that write failed. */
  add(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.#waiting.push({ item, resolve, reject })
    if (!this.#writing) {
      this.#writing = true
      // The rest of this tick may bring more.
      setImmediate(() => this.#drain())
    }
    return promise
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, this.#largest)
      try {
        const results = await this.#write(group.map((entry) => entry.item))
        for (const [index, entry] of group.entries()) entry.resolve(results[index]!)
      } catch (error) {
        for (const entry of group) entry.reject(error)
      }
    }
    this.#writing = false
  }
}
