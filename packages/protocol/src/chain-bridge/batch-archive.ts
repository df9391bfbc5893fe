import type { Envelope } from '../message/envelope.ts'

/** Messages that one batch holds at most (protocol 04 §16.2). */
export const mostBatchMessages = 10_000

/** An archive that can never be read, however often one tries. */
export class BatchArchiveError extends Error {
  readonly code = 'bad_batch'
}

/** The file of a batch (protocol 04 §14); null fields are written, as old readers expect. */
export function batchArchive(messages: Envelope[]): string {
  const rows = messages.map((message) => ({
    sender: message.sender,
    chain: message.chain,
    signature: message.signature,
    type: message.type,
    item_content: message.item_content,
    item_type: message.item_type,
    item_hash: message.item_hash,
    time: message.time,
    channel: message.channel,
  }))
  return JSON.stringify({ protocol: 'aleph', version: 1, content: { messages: rows } })
}

/**
 * The messages of an archive, unread (see `parseEnvelope`).
 *
 * @throws {BatchArchiveError} when it is no archive
 */
export function readBatchArchive(text: string): unknown[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BatchArchiveError('The archive is not JSON')
  }
  return batchMessages((value as { content?: unknown } | null)?.content)
}

/**
 * The messages of a batch's content, the same inside an archive and in old events (protocol 04 §18).
 *
 * @throws {BatchArchiveError} when it holds no list of messages
 */
export function batchMessages(content: unknown): unknown[] {
  const messages = (content as { messages?: unknown } | null | undefined)?.messages
  if (!Array.isArray(messages)) throw new BatchArchiveError('content.messages: must be a list of messages')
  return messages
}
