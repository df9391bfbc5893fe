import type { Logger } from 'pino'
import type { CoreNodes } from './core-nodes.ts'
import { MessageEvents } from './message-events.ts'

/** What fits into one address of a request. */
const MAX_REFS = 100

export interface AmendWatchOptions {
  coreNodes: CoreNodes
  /** STORE messages whose amends matter now. */
  wanted: () => ReadonlySet<string>
  /** A core node says that a new version of this STORE message was published; to be checked. */
  onAmend: (ref: string) => void
  logger: Logger
}

/**
 * Hears of new versions of files as core nodes process them. What it misses (a core node without events, more files
 * than fit) is found by asking now and then, elsewhere.
 */
export class AmendWatch {
  readonly #options: AmendWatchOptions
  readonly #events: MessageEvents

  constructor(options: AmendWatchOptions) {
    this.#options = options
    this.#events = new MessageEvents({
      coreNodes: options.coreNodes,
      wanted: () => this.#wanted(),
      onMessage: (message) => this.#onMessage(message),
      logger: options.logger,
    })
  }

  start(): void {
    this.#events.start()
  }

  stop(): void {
    this.#events.stop()
  }

  #wanted(): Record<string, string> | null {
    const refs = [...this.#options.wanted()].sort().slice(0, MAX_REFS)
    return refs.length === 0 ? null : { msgTypes: 'STORE', refs: refs.join(',') }
  }

  #onMessage(message: unknown): void {
    const ref = (message as { content?: { ref?: unknown } | null } | null)?.content?.ref
    if (typeof ref === 'string' && this.#options.wanted().has(ref)) this.#options.onAmend(ref)
  }
}
