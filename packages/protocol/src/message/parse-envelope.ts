import { formatError } from '../errors/protocol-error.ts'
import { classifyHash, itemHash } from '../hash/item-hash.ts'
import { type Chain, isChain, signatureScheme } from './chains.ts'
import { type Envelope, type ItemType, itemTypes, type MessageType, messageTypes } from './envelope.ts'
import { messageLimits } from './limits.ts'

/** What an inline message is told whose hash is not that of its content. */
export const hashMismatch = 'item_hash: does not match the sha256 of item_content'

const knownTypes: ReadonlySet<unknown> = new Set(messageTypes)
const knownItemTypes: ReadonlySet<unknown> = new Set(itemTypes)

/**
 * Reads an untrusted value as a message envelope (protocol 01 §1.3, steps 1 to 7).
 *
 * Checks every field and, for inline messages, that `item_hash` is the hash of `item_content`. The content
 * itself is not looked at (see {@link parseInlineContent}) and the signature may be null: whether that is
 * acceptable depends on where the message came from. Unknown keys are dropped.
 *
 * @throws {ProtocolError} INVALID_FORMAT, naming the field.
 */
export function parseEnvelope(raw: unknown): Envelope {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw formatError('message must be a JSON object')
  }
  const fields = raw as Record<string, unknown>
  const type = readType(fields.type)
  const hash = readText(fields.item_hash, 'item_hash')
  const chain = readChain(fields.chain)
  const sender = readText(fields.sender, 'sender')
  const content = readItemContent(fields.item_content)
  const itemType = readItemType(fields.item_type, hash, content)
  checkHash(itemType, hash, content)
  return {
    sender,
    chain,
    signature: readSignature(fields.signature, chain),
    type,
    item_type: itemType,
    item_hash: hash,
    item_content: content,
    time: readTime(fields.time),
    channel: fields.channel == null ? null : readText(fields.channel, 'channel'),
  }
}

function readType(value: unknown): MessageType {
  if (!knownTypes.has(value)) {
    throw formatError(`type: unknown message type, expected one of ${messageTypes.join(', ')}`)
  }
  return value as MessageType
}

function readChain(value: unknown): Chain {
  if (!isChain(value)) throw formatError('chain: unknown chain code')
  return value
}

function readText(value: unknown, field: string): string {
  if (typeof value !== 'string') {
    throw formatError(value == null ? `${field}: field required` : `${field}: must be a string`)
  }
  if (value.length > messageLimits.indexedCharacters) {
    throw formatError(`${field}: longer than ${messageLimits.indexedCharacters} characters`)
  }
  return checkStorable(value, field)
}

/** NUL and lone surrogates have no place in UTF-8 databases and would hash differently elsewhere. */
function checkStorable(value: string, field: string): string {
  if (value.includes('\0')) throw formatError(`${field}: contains a NUL character`)
  if (!value.isWellFormed()) throw formatError(`${field}: not valid Unicode (lone surrogate)`)
  return value
}

function readItemContent(value: unknown): string | null {
  if (value == null) return null
  if (typeof value !== 'string') throw formatError('item_content: must be a string of JSON text')
  if (value.length > messageLimits.inlineCharacters) {
    throw formatError(
      `item_content: longer than ${messageLimits.inlineCharacters} characters, store it and send item_type "storage"`,
    )
  }
  return checkStorable(value, 'item_content')
}

function readItemType(value: unknown, hash: string, content: string | null): ItemType {
  if (value != null) {
    if (!knownItemTypes.has(value)) {
      throw formatError(`item_type: expected one of ${itemTypes.join(', ')}`)
    }
    return value as ItemType
  }
  if (content !== null) return 'inline'
  const kind = classifyHash(hash)
  if (kind === 'storage' || kind === 'ipfs') return kind
  throw formatError('item_hash: neither a sha256 in lower-case hex nor an accepted CID')
}

function checkHash(itemType: ItemType, hash: string, content: string | null): void {
  if (itemType === 'inline') {
    if (content === null) throw formatError('item_content: required when item_type is inline')
    if (itemHash(content) !== hash) {
      throw formatError(hashMismatch)
    }
    return
  }
  if (content !== null) throw formatError(`item_content: must be absent when item_type is ${itemType}`)
  if (classifyHash(hash) !== itemType) {
    throw formatError(`item_hash: not the shape of a hash of item_type ${itemType}`)
  }
}

function readTime(value: unknown): number {
  const { min, max } = messageLimits.envelopeTimeSeconds
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw formatError('time: must be a number of seconds since 1970')
  }
  return value
}

function readSignature(value: unknown, chain: Chain): string | null {
  if (value == null || value === '') return null
  const text = typeof value === 'object' ? solanaObjectAsText(value, chain) : value
  if (typeof text !== 'string') throw formatError('signature: must be a string')
  if (text.length > messageLimits.signatureCharacters) {
    throw formatError(`signature: longer than ${messageLimits.signatureCharacters} characters`)
  }
  return checkStorable(text, 'signature')
}

/** Some Solana clients send the signature as an object; the wire form is its compact text (protocol 01 §4.5). */
function solanaObjectAsText(value: object, chain: Chain): string | null {
  if (signatureScheme(chain) !== 'solana') return null
  const { signature, publicKey, version } = value as Record<string, unknown>
  if (typeof signature !== 'string' || typeof publicKey !== 'string') return null
  // Anything deeper could be too deep to be written as text.
  if (typeof version === 'object' && version !== null) return null
  // The version stays in, where there is one: a signature of another version must not pass for one of ours.
  return JSON.stringify({ signature, publicKey, version })
}
