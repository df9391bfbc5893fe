import { type Allocation, allocationsKey, itemHash, signEnvelope } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'

/** Entries of one message: well below the limit of inline content. */
const maxEntries = 400
const channel = 'aleph-scheduler'

/** Publishes this node's claims as changes to its owner's `allocations` aggregate (protocol 06 §8.5). */
export class ClaimPublisher {
  readonly #context: Pick<CoreNodeContext, 'inbox' | 'operatorKey'>
  #lastTime = 0

  constructor(context: Pick<CoreNodeContext, 'inbox' | 'operatorKey'>) {
    this.#context = context
  }

  /**
   * Resolves when the changes are durable in our own inbox.
   *
   * @throws {InboxUnavailableError} when they could not be stored
   */
  async publish(changes: Iterable<[string, Allocation | null]>): Promise<void> {
    const entries = [...changes]
    for (let start = 0; start < entries.length; start += maxEntries) {
      const envelope = this.#sign(Object.fromEntries(entries.slice(start, start + maxEntries)))
      await this.#context.inbox.accept(envelope, { door: 'api' })
    }
  }

  #sign(content: Record<string, Allocation | null>) {
    const { address, privateKey } = this.#context.operatorKey
    // Of two changes the later one must win, so no two have the same time.
    this.#lastTime = Math.max(Date.now() / 1000, this.#lastTime + 0.001)
    const time = this.#lastTime
    const item_content = JSON.stringify({ address, key: allocationsKey, content, time })
    return signEnvelope(
      {
        sender: address,
        chain: 'ETH',
        type: 'AGGREGATE',
        item_type: 'inline',
        item_hash: itemHash(item_content),
        item_content,
        time,
        channel,
      },
      privateKey,
    )
  }
}
