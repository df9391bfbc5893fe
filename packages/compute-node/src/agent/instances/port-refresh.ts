import type { Logger } from 'pino'
import type { VmHost } from '../vm-host.ts'

export interface PortRefreshOptions {
  vms: VmHost
  /** Forwards what the instance's owner wants forwarded now. */
  refresh: (hash: string) => Promise<void>
  /** Time between two passes; 0: never. */
  intervalMs: number
  logger: Logger
}

/** Follows what owners want forwarded also when nobody tells the node to look (protocol 05 §8.4). */
export class PortRefresh {
  readonly #options: PortRefreshOptions
  #timer: NodeJS.Timeout | null = null
  #pass: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: PortRefreshOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#options.intervalMs > 0) this.#arm()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#pass
  }

  /** One pass over all instances that run; one that fails does not keep the others from theirs. */
  async check(): Promise<void> {
    const { vms, refresh, logger } = this.#options
    for (const { id, type, state } of vms.list()) {
      if (type !== 'instance' || state !== 'running' || this.#stopped) continue
      await refresh(id).catch((error: Error) =>
        logger.warn({ hash: id, reason: error.message }, 'the ports of an instance stay as they are'),
      )
    }
  }

  #arm(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#pass = this.check().finally(() => this.#arm())
    }, this.#options.intervalMs)
    this.#timer.unref()
  }
}
