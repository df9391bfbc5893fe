export interface RoundsOptions {
  /** One round; it does not reject. */
  work: () => Promise<void>
  /** Between two rounds when nothing wakes, ms. */
  periodMs: number
  /** Many reasons in a row make one round, ms. */
  settleMs: number
}

/** Does something in rounds, one at a time: now and then, and soon after it was woken. */
export class Rounds {
  readonly #options: RoundsOptions
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(options: RoundsOptions) {
    this.#options = options
  }

  wake(delayMs = this.#options.settleMs): void {
    if (this.#stopped) return
    if (this.#round) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      const { work, periodMs, settleMs } = this.#options
      this.#again = false
      this.#round = work().finally(() => {
        this.#round = undefined
        this.wake(this.#again ? settleMs : periodMs)
      })
    }, delayMs)
  }

  /** Resolves when the round under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#round
  }
}
