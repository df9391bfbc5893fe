/** Does something soon after it is asked for, but not again within a while: what is asked for meanwhile is done together. */
export class Paced {
  readonly #work: () => void
  readonly #pauseMs: number
  #begunMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** @param pauseMs least time between two beginnings */
  constructor(work: () => void, pauseMs: number) {
    this.#work = work
    this.#pauseMs = pauseMs
  }

  /** Has it done at once after a pause, else when the pause is over. */
  ask(): void {
    const delayMs = Math.max(0, this.#begunMs + this.#pauseMs - performance.now())
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#begunMs = performance.now()
      this.#work()
    }, delayMs)
  }

  /** Forgets what was asked for. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
