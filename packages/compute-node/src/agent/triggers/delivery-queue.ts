export interface DeliveryQueueOptions<T> {
  /** Never to reject. */
  deliver: (item: T) => Promise<void>
  /** Deliveries under way at once. */
  concurrency: number
  /** Items that may wait; those that come then are refused. */
  maxWaiting: number
}

/** Delivers things in the order they came, a few at a time. */
export class DeliveryQueue<T> {
  readonly #options: DeliveryQueueOptions<T>
  readonly #waiting: T[] = []
  #underWay = 0
  #closed = false

  constructor(options: DeliveryQueueOptions<T>) {
    this.#options = options
  }

  /** Whether nothing waits or is under way. */
  get isIdle(): boolean {
    return this.#underWay === 0
  }

  /** False when there is no room for it. */
  add(item: T): boolean {
    if (this.#closed || this.#waiting.length >= this.#options.maxWaiting) return false
    this.#waiting.push(item)
    this.#next()
    return true
  }

  /** Forgets what waits. */
  close(): void {
    this.#closed = true
    this.#waiting.length = 0
  }

  #next(): void {
    const { concurrency, deliver } = this.#options
    if (this.#underWay >= concurrency) return
    const item = this.#waiting.shift()
    if (item === undefined) return
    this.#underWay += 1
    void deliver(item).finally(() => {
      this.#underWay -= 1
      this.#next()
    })
  }
}
