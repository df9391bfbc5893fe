import type { CursorStore } from './cursor-table.ts'
import type { MessageLog } from './message-log.ts'
import {
  CatchUpProtocolError,
  type FrameStream,
  logPageSchema,
  maxPageEntries,
  maxRequestedMessages,
  messagesSchema,
} from './wire.ts'

export interface FollowOptions {
  peerId: string
  frames: FrameStream
  log: Pick<MessageLog, 'unknown'>
  cursors: CursorStore
  /** Takes one message in; resolves when it is durable or known to be unacceptable. */
  accept: (message: unknown) => Promise<void>
}

/**
 * Follows a peer's log from where we left it to its present end, and takes in every message we lack.
 *
 * The cursor moves only past entries that are in our inbox or beyond, so an interruption repeats work but skips nothing.
 *
 * @returns the number of messages taken in
 */
export async function followLog(options: FollowOptions): Promise<number> {
  const { peerId, frames, cursors } = options
  let cursor = await cursors.load(peerId)
  let taken = 0
  for (;;) {
    await frames.write({ op: 'log', after: (cursor?.seq ?? 0n).toString(), limit: maxPageEntries })
    const page = await frames.read(logPageSchema)
    if (cursor && page.log_id !== cursor.logId) {
      // The peer began a new log: positions in the old one mean nothing.
      cursor = null
      await cursors.save(peerId, { logId: page.log_id, seq: 0n })
      continue
    }
    const last = page.entries.at(-1)
    if (!last) return taken
    taken += await takeMissing(
      options,
      page.entries.map(([, hash]) => hash),
    )
    const seq = BigInt(last[0])
    if (seq <= (cursor?.seq ?? 0n)) throw new CatchUpProtocolError('the log does not advance')
    cursor = { logId: page.log_id, seq }
    await cursors.save(peerId, cursor)
  }
}

async function takeMissing({ frames, log, accept }: FollowOptions, hashes: string[]): Promise<number> {
  let taken = 0
  const missing = new Set(await log.unknown(hashes))
  while (missing.size > 0) {
    const asked = [...missing].slice(0, maxRequestedMessages)
    await frames.write({ op: 'get', hashes: asked })
    const { messages } = await frames.read(messagesSchema)
    // Forgotten at the peer meanwhile: nothing to take.
    if (messages.length === 0) for (const hash of asked) missing.delete(hash)
    const wanted = messages.filter((message) => missing.delete(hashOf(message)))
    if (messages.length > 0 && wanted.length === 0)
      throw new CatchUpProtocolError('messages nobody asked for')
    await Promise.all(wanted.map(accept))
    taken += wanted.length
  }
  return taken
}

function hashOf(message: unknown): string {
  const hash = (message as { item_hash?: unknown } | null)?.item_hash
  return typeof hash === 'string' ? hash : ''
}
