import type { Envelope } from '@aleph-ts/protocol'
import type { MessageLog } from './message-log.ts'
import { type CatchUpRequest, type FrameStream, maxFrameBytes, requestSchema } from './wire.ts'

/** Requests answered on one stream; a follower opens another for more. */
const maxRequests = 10_000
/** Room for JSON escaping: an answer of this many characters always fits a frame. */
const maxAnswerCharacters = maxFrameBytes / 4

/** Answers a follower's requests until it closes the stream. */
export async function serveLog(frames: FrameStream, log: MessageLog): Promise<void> {
  for (let served = 0; served < maxRequests; served++) {
    await frames.write(await answer(await frames.read(requestSchema), log))
  }
}

async function answer(request: CatchUpRequest, log: MessageLog): Promise<unknown> {
  if (request.op === 'get') return { messages: fitting(await log.envelopes(request.hashes)) }
  const [id, entries] = await Promise.all([log.id(), log.entriesAfter(BigInt(request.after), request.limit)])
  return { log_id: id, entries: entries.map((entry) => [entry.seq.toString(), entry.hash]) }
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
