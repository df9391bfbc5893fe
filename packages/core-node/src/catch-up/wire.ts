import type { Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import { z } from 'zod'

/**
 * Our own libp2p protocol by which one node follows another's log. The follower opens a stream and asks; each request
 * and each answer is one length-prefixed JSON text:
 *
 * - `{"op":"log","after":"<seq>","limit":n}` → `{"log_id":…,"entries":[["<seq>","<item_hash>"],…]}`, in order;
 * - `{"op":"get","hashes":[…]}` → `{"messages":[…]}`: the messages, of those hashes the node has, that fit one frame.
 */
export const catchUpProtocol = '/aleph-ts/catch-up/1.0.0'

/** Most entries of a page, and most hashes of a request. */
export const maxPageEntries = 1000
export const maxRequestedMessages = 200
/** One frame in either direction, bytes. */
export const maxFrameBytes = 8 * 1024 * 1024
const frameTimeoutMs = 30_000

const seq = z.string().regex(/^\d{1,19}$/)
const hash = z.string().min(1).max(128)

export const requestSchema = z.discriminatedUnion('op', [
  z.object({ op: z.literal('log'), after: seq, limit: z.int().min(1).max(maxPageEntries) }),
  z.object({ op: z.literal('get'), hashes: z.array(hash).min(1).max(maxRequestedMessages) }),
])
export type CatchUpRequest = z.infer<typeof requestSchema>

export const logPageSchema = z.object({
  log_id: z.string().min(1).max(64),
  entries: z.array(z.tuple([seq, hash])).max(maxPageEntries),
})
export const messagesSchema = z.object({ messages: z.array(z.unknown()).max(maxRequestedMessages) })

/** The other side does not keep to the protocol. */
export class CatchUpProtocolError extends Error {
  readonly code = 'catch_up_protocol'
}

/** A stream of JSON frames with a limit on size and time. */
export class FrameStream {
  readonly #stream: Stream
  readonly #frames: LengthPrefixedStream<Stream>
  readonly #signal: AbortSignal

  constructor(stream: Stream, signal: AbortSignal) {
    this.#stream = stream
    this.#signal = signal
    this.#frames = lpStream(stream, { maxDataLength: maxFrameBytes, maxBufferSize: 2 * maxFrameBytes })
  }

  /** @throws {CatchUpProtocolError} when a frame is not what the schema says */
  async read<T>(schema: z.ZodType<T>): Promise<T> {
    const bytes = (await this.#frames.read({ signal: this.#limit() })).subarray()
    let json: unknown
    try {
      json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch (error) {
      throw new CatchUpProtocolError('a frame is not JSON', { cause: error })
    }
    const parsed = schema.safeParse(json)
    if (!parsed.success) throw new CatchUpProtocolError(`unexpected frame: ${parsed.error.message}`)
    return parsed.data
  }

  async write(value: unknown): Promise<void> {
    await this.#frames.write(new TextEncoder().encode(JSON.stringify(value)), { signal: this.#limit() })
  }

  async close(): Promise<void> {
    await this.#stream.close({ signal: AbortSignal.timeout(1_000) })
  }

  abort(error: Error): void {
    this.#stream.abort(error)
  }

  #limit(): AbortSignal {
    return AbortSignal.any([this.#signal, AbortSignal.timeout(frameTimeoutMs)])
  }
}
