import { Readable } from 'node:stream'
import { itemHash, type MessageType, signEnvelope } from '@aleph-ts/protocol'
import type { CoreNodeContext } from './context.ts'
import type { OperatorKey } from './operator-key.ts'

export interface OwnMessage {
  type: MessageType
  channel: string
  /** Without address and time, which are added. */
  content: Record<string, unknown>
}

/** Content beyond this many bytes goes into a file (protocol 01 §2.5). */
const mostInlineBytes = 50_000
let lastTime = 0

/**
 * Signs a message of this node's own and takes it in through its own door; gossip spreads it like any other.
 *
 * @returns its item hash, once it is durable
 * @throws {InboxUnavailableError} when it could not be stored
 */
export async function publishOwnMessage(
  { inbox, fileStore }: Pick<CoreNodeContext, 'inbox' | 'fileStore'>,
  { address, privateKey }: OperatorKey,
  { type, channel, content }: OwnMessage,
): Promise<string> {
  // Of two aggregates the later one must win, so no two messages have the same time.
  lastTime = Math.max(Date.now() / 1000, lastTime + 0.001)
  // Reference nodes percent-decode gossip; escaping keeps the hash valid there (protocol 01 §13 T5).
  const text = JSON.stringify({ address, time: lastTime, ...content }).replaceAll('%', '\\u0025')
  const bytes = Buffer.from(text)
  const isInline = bytes.length <= mostInlineBytes
  const hash = itemHash(text)
  if (!isInline) {
    await fileStore.write(Readable.from([bytes]), { maxBytes: bytes.length, expectedHash: hash })
  }
  const envelope = signEnvelope(
    {
      sender: address,
      chain: 'ETH',
      type,
      item_type: isInline ? 'inline' : 'storage',
      item_hash: hash,
      item_content: isInline ? text : null,
      time: lastTime,
      channel,
    },
    privateKey,
  )
  await inbox.accept(envelope, { door: 'api' })
  return hash
}
