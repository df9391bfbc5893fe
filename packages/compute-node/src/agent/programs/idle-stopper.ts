export interface IdleStopperOptions {
  /** How long a VM without a call stays; 0 or less stops it right after its last call. */
  timeoutMs: number
  /** VMs that never stop for idleness. */
  isExempt: (id: string) => boolean
  stop: (id: string) => void
}

interface Usage {
  calls: number
  timer: NodeJS.Timeout | null
}

/** Stops VMs nobody has called for a while. An open connection of any kind counts as a call. */
export class IdleStopper {
  readonly #options: IdleStopperOptions
  readonly #usage = new Map<string, Usage>()

  constructor(options: IdleStopperOptions) {
    this.#options = options
  }

  /** A call begins. */
  enter(id: string): void {
    const usage = this.#of(id)
    usage.calls += 1
    if (usage.timer) clearTimeout(usage.timer)
    usage.timer = null
  }

  /** A call ends. */
  leave(id: string): void {
    const usage = this.#usage.get(id)
    if (!usage) return
    usage.calls = Math.max(0, usage.calls - 1)
    this.#arm(id, usage)
  }

  /** Starts the clock of a VM that runs without having been called (re-adopted, or no longer in the plan). */
  watch(id: string): void {
    this.#arm(id, this.#of(id))
  }

  /** Calls under way to one VM. */
  calls(id: string): number {
    return this.#usage.get(id)?.calls ?? 0
  }

  clear(): void {
    for (const { timer } of this.#usage.values()) if (timer) clearTimeout(timer)
    this.#usage.clear()
  }

  #of(id: string): Usage {
    let usage = this.#usage.get(id)
    if (!usage) {
      usage = { calls: 0, timer: null }
      this.#usage.set(id, usage)
    }
    return usage
  }

  #arm(id: string, usage: Usage): void {
    if (usage.calls > 0 || usage.timer) return
    usage.timer = setTimeout(
      () => {
        this.#usage.delete(id)
        if (!this.#options.isExempt(id)) this.#options.stop(id)
      },
      Math.max(0, this.#options.timeoutMs),
    )
    usage.timer.unref()
  }
}
