import { setTimeout as sleep } from 'node:timers/promises'
import { answerReconciliation, type Envelope } from '@aleph-ts/protocol'
import type { TokenBucket } from '../rate-limit/token-bucket.ts'
import type { Tombstone } from '../state/tombstones.ts'
import type { HeldMessages } from './held-messages.ts'
import {
  CatchUpProtocolError,
  compareOperation,
  type FrameStream,
  fromJsonBytes,
  getOperation,
  getSchema,
  maxFrameBytes,
  toJsonBytes,
} from './wire.ts'

/** Requests answered on one stream; an asker opens another for more. */
const maxRequests = 20_000
/** Room for JSON escaping: an answer of this many characters always fits a frame. */
const maxAnswerCharacters = maxFrameBytes / 4

/**
 * Answers an asker's requests until it closes the stream.
 *
 * @param bucket bytes that this peer may still be sent; beyond them it waits
 */
export async function serveMessages(
  frames: FrameStream,
  held: HeldMessages,
  bucket: TokenBucket,
  signal: AbortSignal,
): Promise<void> {
  for (let served = 0; served < maxRequests; served++) {
    const { operation, body } = await frames.read()
    const answer = await answerOf(operation, body, held)
    const waitMs = bucket.borrow(body.length + answer.length)
    if (waitMs > 0) await sleep(waitMs, undefined, { signal })
    await frames.write(operation, answer)
  }
}

async function answerOf(operation: number, body: Uint8Array, held: HeldMessages): Promise<Uint8Array> {
  if (operation === compareOperation) return answerReconciliation(await held.set(), body)
  if (operation !== getOperation) throw new CatchUpProtocolError('unknown operation')
  const { hashes } = fromJsonBytes(body, getSchema)
  const envelopes = await held.envelopes(hashes)
  const rest = envelopes.length < hashes.length ? await held.tombstones(hashes) : []
  return toJsonBytes({ messages: fitting([...envelopes, ...rest]) })
}

/** The first messages that go into one frame, at least one. */
function fitting(messages: (Envelope | Tombstone)[]): (Envelope | Tombstone)[] {
  let characters = 0
  const end = messages.findIndex((message, index) => {
    characters += lengthOf(message) + 1024
    return index > 0 && characters > maxAnswerCharacters
  })
  return end === -1 ? messages : messages.slice(0, end)
}

function lengthOf(message: Envelope | Tombstone): number {
  if ('erased' in message) return message.erased.row.length + message.erased.facts.length
  return message.item_content?.length ?? 0
}
