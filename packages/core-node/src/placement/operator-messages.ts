import { type Envelope, itemHash, type MessageType, schedulerChannel, signEnvelope } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'

/** Signs what this core node says as its operator, each message with a later time than the one before. */
export class OperatorMessages {
  readonly #context: Pick<CoreNodeContext, 'inbox' | 'operatorKey'>
  #lastTime = 0

  constructor(context: Pick<CoreNodeContext, 'inbox' | 'operatorKey'>) {
    this.#context = context
  }

  /**
   * Resolves when the message is durable in our own inbox.
   *
   * @throws {InboxUnavailableError} when it could not be stored
   */
  async publish(type: MessageType, content: Record<string, unknown>): Promise<void> {
    await this.#context.inbox.accept(this.#sign(type, content), { door: 'api' })
  }

  #sign(type: MessageType, content: Record<string, unknown>): Envelope {
    const { address, privateKey } = this.#context.operatorKey
    // Of two changes the later one must win, so no two have the same time.
    this.#lastTime = Math.max(Date.now() / 1000, this.#lastTime + 0.001)
    const time = this.#lastTime
    const item_content = JSON.stringify({ address, ...content, time })
    return signEnvelope(
      {
        sender: address,
        chain: 'ETH',
        type,
        item_type: 'inline',
        item_hash: itemHash(item_content),
        item_content,
        time,
        channel: schedulerChannel,
      },
      privateKey,
    )
  }
}
