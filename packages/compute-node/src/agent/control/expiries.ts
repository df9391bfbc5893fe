import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { z } from 'zod'
import { writeFileAtomically } from '../allocations/state-file.ts'

/** Longest wait of one timer; what is further away is looked at again. */
const MAX_TIMER_MS = 3_600_000
const expirySchema = z.record(z.string(), z.number())

export interface ExpiriesOptions {
  path: string
  /** Ends the VM for good. */
  end: (hash: string) => Promise<void>
  logger: Logger
}

/** When owners want their VMs to end by themselves (protocol 05 §10 `expire`), kept across restarts. */
export class Expiries {
  readonly #options: ExpiriesOptions
  /** Epoch seconds by VM. */
  #dates: Record<string, number> = {}
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #saving: Promise<void> = Promise.resolve()

  constructor(options: ExpiriesOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const text = await readFile(this.#options.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}'
      throw error
    })
    this.#dates = expirySchema.parse(JSON.parse(text))
    for (const hash of Object.keys(this.#dates)) this.#arm(hash)
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  /** `at` in epoch seconds; resolves when it is on disk. */
  async set(hash: string, at: number): Promise<void> {
    this.#dates[hash] = at
    await this.#save()
    this.#arm(hash)
  }

  cancel(hash: string): void {
    if (!(hash in this.#dates)) return
    this.#forget(hash)
  }

  #arm(hash: string): void {
    clearTimeout(this.#timers.get(hash))
    const leftMs = (this.#dates[hash] ?? 0) * 1000 - Date.now()
    const timer = setTimeout(
      () => (leftMs > MAX_TIMER_MS ? this.#arm(hash) : this.#expire(hash)),
      Math.min(Math.max(leftMs, 0), MAX_TIMER_MS),
    )
    timer.unref()
    this.#timers.set(hash, timer)
  }

  #expire(hash: string): void {
    this.#forget(hash)
    const { end, logger } = this.#options
    logger.info({ hash }, 'a VM expired as its owner wanted')
    end(hash).catch((error: unknown) => logger.error({ err: error, hash }, 'ending an expired VM failed'))
  }

  #forget(hash: string): void {
    clearTimeout(this.#timers.get(hash))
    this.#timers.delete(hash)
    delete this.#dates[hash]
    this.#save().catch((error: unknown) =>
      this.#options.logger.error({ err: error }, 'expiry dates could not be saved'),
    )
  }

  #save(): Promise<void> {
    const saving = this.#saving.then(() =>
      writeFileAtomically(this.#options.path, JSON.stringify(this.#dates)),
    )
    this.#saving = saving.catch(() => undefined)
    return saving
  }
}
