import { setTimeout as sleep } from 'node:timers/promises'

export interface RepeatedWorkOptions {
  /** One turn; when it answers true there is more to do at once. */
  work: (stopping: AbortSignal) => Promise<unknown>
  /** Pause between two turns, ms. */
  pauseMs: () => number
  /** Hears of turns that failed, but not of those that {@link RepeatedWork.stop} interrupted. */
  onError: (error: unknown) => void
}

/** Does something again and again, one turn at a time, until it is stopped; a turn that fails is tried again. */
export class RepeatedWork {
  readonly #options: RepeatedWorkOptions
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined

  constructor(options: RepeatedWorkOptions) {
    this.#options = options
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Resolves when the turn under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { work, pauseMs, onError } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        if ((await work(signal)) === true) continue
      } catch (error) {
        if (!signal.aborted) onError(error)
      }
      await sleep(pauseMs(), undefined, { signal }).catch(() => undefined)
    }
  }
}
