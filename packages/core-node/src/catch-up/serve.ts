import { setTimeout as sleep } from 'node:timers/promises'
import { answerReconciliation, type Envelope } from '@aleph-ts/protocol'
import type { TokenBucket } from '../rate-limit/token-bucket.ts'
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
  return toJsonBytes({ messages: fitting(await held.envelopes(hashes)) })
}

/** The first messages that go into one frame, at least one. */
function fitting(envelopes: Envelope[]): Envelope[] {
  let characters = 0
  const end = envelopes.findIndex((envelope, index) => {
    characters += (envelope.item_content?.length ?? 0) + 1024
    return index > 0 && characters > maxAnswerCharacters
  })
  return end === -1 ? envelopes : envelopes.slice(0, end)
}
