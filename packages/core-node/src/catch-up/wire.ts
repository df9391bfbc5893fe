import { type Chain, isChain, maxReconciliationFrameBytes, messageTypes } from '@aleph-ts/protocol'
import type { Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import { z } from 'zod'
import type { Tombstone } from '../state/tombstones.ts'

/**
 * Our own libp2p protocol by which nodes find and close the difference between their messages. Who opens a stream asks;
 * each request and each answer is one length-prefixed frame, whose first byte says what it is:
 *
 * - 0: a request of a `Reconciler`, answered by `answerReconciliation`;
 * - 1: JSON `{"hashes":[…]}`, answered with JSON `{"messages":[…]}`: the messages, of those hashes the node has, that fit
 *   one frame. Of a forgotten message whose content was erased it is a tombstone: what was signed, and `erased`.
 */
export const catchUpProtocol = '/aleph-ts/reconcile/1.0.0'

export const compareOperation = 0
export const getOperation = 1

/** Most hashes of one request. */
export const maxRequestedMessages = 200
/** One frame of messages, bytes. */
export const maxFrameBytes = 8 * 1024 * 1024
/** What an asker has to say always fits. */
export const maxRequestBytes = maxReconciliationFrameBytes + 1
const frameTimeoutMs = 30_000

const hash = z.string().min(1).max(128)

export const getSchema = z.object({ hashes: z.array(hash).min(1).max(maxRequestedMessages) })
export const messagesSchema = z.object({ messages: z.array(z.unknown()).max(maxRequestedMessages) })

/** What is left of one erased message, characters. */
const longestTombstone = 256 * 1024

export const tombstoneSchema: z.ZodType<Tombstone> = z.object({
  item_hash: hash,
  type: z.enum(messageTypes),
  chain: z.custom<Chain>((value) => typeof value === 'string' && isChain(value), 'an unknown chain'),
  sender: z.string().min(1).max(256),
  signature: z.string().min(1).max(32_768).nullable(),
  time: z.number(),
  erased: z.object({
    row: z.string().max(longestTombstone).refine(isRow, 'not a row of a forgotten message'),
    facts: z.string().max(longestTombstone).refine(isJson, 'not JSON'),
  }),
})

/** Places are compared as text: nothing else may get among them. */
const placePattern = /^([0-9]{17}[0-9A-Za-z:/]{0,4000}|~)$/

const rowSchema = z.object({
  owner: z.string().min(1).max(256),
  place: z.string().regex(placePattern),
  until: z.string().regex(placePattern),
  forgotten_by: z.array(hash).min(1),
  sender_time: z.number().int(),
})

function isRow(text: string): boolean {
  return isJson(text) && rowSchema.safeParse(JSON.parse(text)).success
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The other side does not keep to the protocol. */
export class CatchUpProtocolError extends Error {
  readonly code = 'catch_up_protocol'
}

/** A stream of frames with a limit on size and time. */
export class FrameStream {
  readonly #stream: Stream
  readonly #frames: LengthPrefixedStream<Stream>
  readonly #signal: AbortSignal

  /** @param maxBytes longest frame the other side may send */
  constructor(stream: Stream, options: { signal: AbortSignal; maxBytes: number }) {
    this.#stream = stream
    this.#signal = options.signal
    this.#frames = lpStream(stream, { maxDataLength: options.maxBytes, maxBufferSize: 2 * options.maxBytes })
  }

  async read(): Promise<{ operation: number; body: Uint8Array }> {
    const bytes = (await this.#frames.read({ signal: this.#limit() })).subarray()
    if (bytes.length === 0) throw new CatchUpProtocolError('an empty frame')
    return { operation: bytes[0]!, body: bytes.subarray(1) }
  }

  async write(operation: number, body: Uint8Array): Promise<void> {
    const frame = new Uint8Array(body.length + 1)
    frame[0] = operation
    frame.set(body, 1)
    await this.#frames.write(frame, { signal: this.#limit() })
  }

  /** Asks and reads the answer's body. */
  async ask(operation: number, body: Uint8Array): Promise<Uint8Array> {
    await this.write(operation, body)
    const answer = await this.read()
    if (answer.operation !== operation) throw new CatchUpProtocolError('an answer to another question')
    return answer.body
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

export function toJsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

/** @throws {CatchUpProtocolError} when the bytes are not JSON, or not what the schema says */
export function fromJsonBytes<T>(bytes: Uint8Array, schema: z.ZodType<T>): T {
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
