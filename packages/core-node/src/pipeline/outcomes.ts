import type { MessageStatus } from '@aleph-ts/protocol'
import type { CoreEvents, ProcessedMessage, RejectedMessage, RetriedMessage } from '../events.ts'

export interface Outcome {
  status: MessageStatus
  errorCode?: number
  details?: unknown
}

/** Lets callers wait for the first thing that happens to a message: processed, refused, or put off. */
export class Outcomes {
  readonly #events: CoreEvents
  readonly #waiting = new Map<string, Set<(outcome: Outcome) => void>>()

  constructor(events: CoreEvents) {
    this.#events = events
  }

  start(): void {
    this.#events.on('retry', (batch: RetriedMessage[]) => {
      for (const message of batch) this.#settle(message.item_hash, { status: 'pending' })
    })
    this.#events.on('processed', (batch: ProcessedMessage[]) => {
      if (this.#waiting.size === 0) return
      for (const message of batch) this.#settle(message.item_hash, { status: 'processed' })
    })
    this.#events.on('rejected', (batch: RejectedMessage[]) => {
      for (const { item_hash, errorCode, details } of batch) {
        this.#settle(item_hash, { status: 'rejected', errorCode, details })
      }
    })
  }

  /** The next outcome of a message, or undefined after `timeoutMs`. Ask before handing the message to the inbox. */
  next(itemHash: string, timeoutMs: number): { outcome: Promise<Outcome | undefined>; forget: () => void } {
    const { promise, resolve } = Promise.withResolvers<Outcome | undefined>()
    const listeners = this.#waiting.get(itemHash) ?? new Set()
    this.#waiting.set(itemHash, listeners)
    const timer = setTimeout(() => finish(undefined), timeoutMs)
    const finish = (outcome: Outcome | undefined) => {
      clearTimeout(timer)
      listeners.delete(finish)
      if (listeners.size === 0) this.#waiting.delete(itemHash)
      resolve(outcome)
    }
    listeners.add(finish)
    return { outcome: promise, forget: () => finish(undefined) }
  }

  #settle(itemHash: string, outcome: Outcome): void {
    for (const finish of [...(this.#waiting.get(itemHash) ?? [])]) finish(outcome)
  }
}
