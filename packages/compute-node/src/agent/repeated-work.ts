import { setTimeout as sleep } from 'node:timers/promises'

export interface RepeatedWorkOptions {
  /** One turn; it may end early when it is told to stop. */
  work: (stopping: AbortSignal) => Promise<void>
  /** Pause before each turn, ms; 0: there are none. */
  pauseMs: number
  /** Hears of turns that failed. */
  onError: (error: unknown) => void
}

/** Does something again and again, one turn at a time, until it is stopped; a turn that fails is followed by another. */
export class RepeatedWork {
  readonly #options: RepeatedWorkOptions
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined

  constructor(options: RepeatedWorkOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#options.pauseMs > 0) this.#loop ??= this.#run()
  }

  /** Resolves when the turn under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { work, pauseMs, onError } = this.#options
    const { signal } = this.#stopping
    const pause = () => sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
    for (await pause(); !signal.aborted; await pause()) {
      try {
        await work(signal)
      } catch (error) {
        onError(error)
      }
    }
  }
}
