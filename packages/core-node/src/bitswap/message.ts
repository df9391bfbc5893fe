import { type Cid, decodeCid, sha256Hex } from '@aleph-ts/protocol'
import { reader, type Writer, writer } from 'protons-runtime'

/** The version of the protocol with HAVE and DONT_HAVE, which every IPFS node of today speaks. */
export const bitswapProtocol = '/ipfs/bitswap/1.2.0'

/** Largest block that IPFS nodes exchange, bytes. */
export const maxExchangedBlockBytes = 2 * 1024 * 1024
/** Largest message, bytes. */
export const maxMessageBytes = 4 * 1024 * 1024
/** Most wants, blocks and presences of one message. */
const maxParts = 4096
const maxCidBytes = 168

/** One wish of a peer, or its end. */
export interface WantEntry {
  /** The CID as it was sent: it may be of a kind that we know nothing about. */
  cid: Uint8Array
  /** Higher ones are answered first. */
  priority: number
  cancel: boolean
  /** `have`: tell whether the block is there; `block`: send it. */
  wantType: 'have' | 'block'
  /** Whether to tell that the block is not there. */
  sendDontHave: boolean
}

/** A block without its CID: what the CID's hash is follows from the bytes. */
export interface SentBlock {
  /** The beginning of the CID, before the digest: version, codec, hash, its length. */
  prefix: Uint8Array
  bytes: Uint8Array
}

export interface Presence {
  cid: Uint8Array
  has: boolean
}

/** What peers say to each other, over streams that each opens for what it has to say itself. */
export interface BitswapMessage {
  wants: WantEntry[]
  /** The wants are all that the peer has: earlier ones are off. */
  full: boolean
  blocks: SentBlock[]
  presences: Presence[]
}

/** A peer does not keep to the protocol. */
export class BitswapProtocolError extends Error {
  readonly code = 'bitswap_protocol'
}

const sha256Code = 0x12
const varintWire = 0
const bytesWire = 2

export function emptyMessage(): BitswapMessage {
  return { wants: [], full: false, blocks: [], presences: [] }
}

export function encodeMessage({ wants, full, blocks, presences }: BitswapMessage): Uint8Array {
  const out = writer()
  if (wants.length > 0 || full) {
    startField(out, 1)
    for (const want of wants) writeWant(out, want)
    if (full) out.uint32(tag(2, varintWire)).bool(true)
    out.ldelim()
  }
  for (const { prefix, bytes } of blocks) {
    startField(out, 3)
    out.uint32(tag(1, bytesWire)).bytes(prefix)
    out.uint32(tag(2, bytesWire)).bytes(bytes)
    out.ldelim()
  }
  for (const { cid, has } of presences) {
    startField(out, 4)
    out.uint32(tag(1, bytesWire)).bytes(cid)
    if (!has) out.uint32(tag(2, varintWire)).uint32(1)
    out.ldelim()
  }
  return out.finish()
}

function writeWant(out: Writer, want: WantEntry): void {
  startField(out, 1)
  out.uint32(tag(1, bytesWire)).bytes(want.cid)
  if (want.priority !== 0) out.uint32(tag(2, varintWire)).int32(want.priority)
  if (want.cancel) out.uint32(tag(3, varintWire)).bool(true)
  if (want.wantType === 'have') out.uint32(tag(4, varintWire)).uint32(1)
  if (want.sendDontHave) out.uint32(tag(5, varintWire)).bool(true)
  out.ldelim()
}

/**
 * Reads a message; fields it does not know are skipped, blocks share the memory of `bytes`.
 *
 * @throws {BitswapProtocolError} for what is no message, or one with more parts than anybody needs
 */
export function decodeMessage(bytes: Uint8Array): BitswapMessage {
  const message = emptyMessage()
  let parts = 0
  try {
    eachField(bytes, (field, value) => {
      if (!(value instanceof Uint8Array)) return
      if (++parts > maxParts) throw new RangeError('it has too many parts')
      if (field === 1) readWantlist(value, message)
      if (field === 3) message.blocks.push(readBlock(value))
      if (field === 4) message.presences.push(readPresence(value))
    })
  } catch (error) {
    throw new BitswapProtocolError(`Not a bitswap message: ${(error as Error).message}`)
  }
  return message
}

function readWantlist(bytes: Uint8Array, message: BitswapMessage): void {
  eachField(bytes, (field, value) => {
    if (field === 2) message.full = value !== 0
    if (field !== 1 || !(value instanceof Uint8Array)) return
    if (message.wants.length >= maxParts) throw new RangeError('it has too many wants')
    message.wants.push(readWant(value))
  })
}

function readWant(bytes: Uint8Array): WantEntry {
  const want: WantEntry = {
    cid: new Uint8Array(),
    priority: 0,
    cancel: false,
    wantType: 'block',
    sendDontHave: false,
  }
  eachField(bytes, (field, value) => {
    if (field === 1) want.cid = cidBytes(value)
    if (field === 2) want.priority = Number(value) | 0
    if (field === 3) want.cancel = value !== 0
    if (field === 4) want.wantType = value === 1 ? 'have' : 'block'
    if (field === 5) want.sendDontHave = value !== 0
  })
  return want
}

function readBlock(bytes: Uint8Array): SentBlock {
  const block: SentBlock = { prefix: new Uint8Array(), bytes: new Uint8Array() }
  eachField(bytes, (field, value) => {
    if (!(value instanceof Uint8Array)) return
    if (field === 1) block.prefix = value
    if (field === 2) block.bytes = value
  })
  if (block.bytes.length > maxExchangedBlockBytes) throw new RangeError('a block is too large')
  return block
}

function readPresence(bytes: Uint8Array): Presence {
  const presence: Presence = { cid: new Uint8Array(), has: true }
  eachField(bytes, (field, value) => {
    if (field === 1) presence.cid = cidBytes(value)
    if (field === 2) presence.has = value === 0
  })
  return presence
}

function cidBytes(value: Uint8Array | number): Uint8Array {
  if (value instanceof Uint8Array && value.length > 0 && value.length <= maxCidBytes) return value
  throw new RangeError('a CID is too long, or none')
}

/** Calls back for every number and every piece of bytes in a protobuf message. */
function eachField(bytes: Uint8Array, take: (field: number, value: Uint8Array | number) => void): void {
  const fields = reader(bytes)
  while (fields.pos < fields.len) {
    const key = fields.uint32()
    const wire = key & 7
    if (wire === varintWire) take(key >>> 3, fields.uint32())
    else if (wire === bytesWire) take(key >>> 3, fields.bytes())
    // Groups, which nobody writes any more, would be skipped by recursion.
    else if (wire === 3) throw new RangeError('it has a group')
    else fields.skipType(wire)
  }
}

function startField(out: Writer, field: number): void {
  out.uint32(tag(field, bytesWire)).fork()
}

function tag(field: number, wire: number): number {
  return (field << 3) | wire
}

/** The beginning of a CID, before its digest. */
export function prefixOf(cid: Cid): Uint8Array {
  const { code, size } = cid.multihash
  return writer().uint32(cid.version).uint32(cid.code).uint32(code).uint32(size).finish()
}

/** By what a block is known, whatever the version and codec of its CID: the sha256 in it, as hex. */
export function blockKey(cid: Cid): string {
  return Buffer.from(cid.multihash.digest).toString('hex')
}

/** The key of a block that came in, computed from its bytes; undefined when its hash is not sha2-256. */
export function keyOfSent({ prefix, bytes }: SentBlock): string | undefined {
  try {
    const numbers = reader(prefix)
    const [, , hash, length] = [numbers.uint32(), numbers.uint32(), numbers.uint32(), numbers.uint32()]
    return hash === sha256Code && length === 32 ? sha256Hex(bytes) : undefined
  } catch {
    return undefined
  }
}

/** A CID whose block we could have; undefined for other codecs and hashes, and for what is none. */
export function knownCid(bytes: Uint8Array): Cid | undefined {
  try {
    const { cid, length } = decodeCid(bytes)
    return length === bytes.length && cid.multihash.code === sha256Code ? cid : undefined
  } catch {
    return undefined
  }
}
