import type { Logger } from 'pino'

/** As long a start that took a spare has the processors for itself. */
const defaultRefillMs = 500

interface Maker<Spare> {
  make(): Promise<Spare>
  isUsable(spare: Spare): boolean
  end(spare: Spare): Promise<void>
}

/** Keeps one spare of each kind that was asked for lately, of at most `limit` kinds. */
export class SparePool<Spare> {
  readonly #limit: number
  readonly #log: Logger
  readonly #refillMs: number
  /** By kind; the one that was asked for longest ago first. */
  readonly #kinds = new Map<string, Maker<Spare> & { spare: Promise<Spare | null> | null }>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #ending = new Set<Promise<void>>()
  #closed = false

  constructor(limit: number, log: Logger, refillMs = defaultRefillMs) {
    this.#limit = limit
    this.#log = log
    this.#refillMs = refillMs
  }

  /** The spare of this kind, now the caller's; null when there is none. Another one is made in its place. */
  async take(kind: string, maker: Maker<Spare>): Promise<Spare | null> {
    if (this.#closed || this.#limit === 0) return null
    const known = this.#kinds.get(kind)
    this.#kinds.delete(kind)
    this.#kinds.set(kind, { ...maker, spare: null })
    this.#refillLater(kind)
    this.#forgetOldest()
    const spare = await known?.spare
    if (!spare) return null
    if (maker.isUsable(spare)) return spare
    await maker.end(spare)
    return null
  }

  /** Ends all spares and makes no more. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.all([...this.#kinds.keys()].map((kind) => this.#forget(kind)))
    await Promise.all(this.#ending)
  }

  #refillLater(kind: string): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      const found = this.#kinds.get(kind)
      if (this.#closed || !found || found.spare) return
      found.spare = found.make().catch((error) => {
        this.#log.warn({ err: error }, 'no spare QEMU process could be started')
        return null
      })
    }, this.#refillMs)
    timer.unref()
    this.#timers.add(timer)
  }

  #forgetOldest(): void {
    while (this.#kinds.size > this.#limit) {
      const ended = this.#forget(this.#kinds.keys().next().value!)
        .catch((error) => this.#log.warn({ err: error }, 'a spare QEMU process could not be ended'))
        .finally(() => this.#ending.delete(ended))
      this.#ending.add(ended)
    }
  }

  async #forget(kind: string): Promise<void> {
    const found = this.#kinds.get(kind)
    this.#kinds.delete(kind)
    const spare = await found?.spare
    if (found && spare) await found.end(spare)
  }
}
