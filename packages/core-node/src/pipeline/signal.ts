/** A wake-up that is not lost when nobody waits for it yet. */
export class Signal {
  #given = false
  #wake: (() => void) | undefined

  give(): void {
    this.#given = true
    this.#wake?.()
  }

  /** Resolves at the next (or the last unheard) signal, or after `timeoutMs`. */
  async wait(timeoutMs: number): Promise<void> {
    if (!this.#given) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#given = false
    this.#wake = undefined
  }
}
