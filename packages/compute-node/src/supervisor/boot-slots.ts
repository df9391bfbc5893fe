/** Lets so many kernels boot at once: more would only make each other miss their time limits. */
export class BootSlots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  /** Runs `task` when its turn comes, first come first served; rejects at once when `signal` aborts. */
  async run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.#acquire(signal)
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }

  #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const granted = () => {
        signal.removeEventListener('abort', abandoned)
        resolve()
      }
      const abandoned = () => {
        this.#waiting.splice(this.#waiting.indexOf(granted), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', abandoned, { once: true })
      this.#waiting.push(granted)
    })
  }
}
