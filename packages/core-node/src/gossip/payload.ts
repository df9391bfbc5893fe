import type { Envelope } from '@aleph-ts/protocol'

/** One RPC frame of the network's gossip, bytes (protocol 04 §2.2). */
export const maxFrameBytes = 262_144
/** Messages of one RPC that every node still reads (protocol 04 §2.3). */
export const maxMessagesPerFrame = 100
/** What of a frame is left for one message's JSON, signed with an RSA key (protocol 04 §2.3). */
export const maxPayloadBytes = 261_500
/** A JSON escape such as `\u0000`. */
const maxBytesPerCharacter = 6
const maxFieldNameBytes = 1024

/**
 * The bytes a message travels as: compact JSON, keys sorted, absent fields left out (protocol 04 §3.2).
 *
 * Older nodes percent-decode what they receive before they parse it (protocol 04, trap 3), so a text like `%41` is
 * written with a JSON escape that survives this: same JSON value, same hash for everybody.
 */
export function encodePayload(envelope: Envelope): Uint8Array<ArrayBuffer> {
  const fields = Object.entries(envelope)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const text = JSON.stringify(Object.fromEntries(fields)).replace(/%(?=[0-9a-fA-F]{2})/g, '\\u0025')
  return new TextEncoder().encode(text)
}

/** What others are told of a message: one too large for a frame goes without its content, which its hash names. */
export function gossipForm(envelope: Envelope): Envelope {
  if (fitsGossip(envelope)) return envelope
  return { ...envelope, item_type: 'storage', item_content: null }
}

/** Whether a message can travel over gossip at all; the API door asks before it acknowledges (protocol 04, trap 4). */
export function fitsGossip(envelope: Envelope): boolean {
  const texts = Object.values(envelope).filter((value) => typeof value === 'string')
  const characters = texts.reduce((sum, text) => sum + text.length, 0)
  // Most messages are so small that they fit however they are escaped.
  if (characters * maxBytesPerCharacter + maxFieldNameBytes <= maxPayloadBytes) return true
  return encodePayload(envelope).length <= maxPayloadBytes
}

/**
 * The JSON value of received bytes: parsed as it is, else percent-decoded first (protocol 04 §3.5).
 *
 * @throws {SyntaxError | TypeError | URIError} when it is JSON under neither reading
 */
export function decodePayload(data: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(data)
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!text.includes('%')) throw error
    return JSON.parse(decodeURIComponent(text))
  }
}
