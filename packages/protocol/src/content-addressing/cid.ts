import { CID } from 'multiformats/cid'
import { create as multihash } from 'multiformats/hashes/digest'
import { sha256Bytes } from '../hash/sha256.ts'
import { ContentAddressError } from './content-address-error.ts'

/** A content identifier; its `toString()` is the canonical text (base58btc for version 0, base32 for version 1). */
export type Cid = CID

/** How files are added: 0 wraps every leaf (Kubo's default), 1 has raw leaves (protocol 01 §2.3). */
export type CidVersion = 0 | 1

export const dagPbCodec = 0x70
export const rawCodec = 0x55
const sha256Code = 0x12
const identityCode = 0x00
const sha256Length = 32
/** Kubo inlines no more than this into a CID, bytes. */
const maxIdentityLength = 128
/** No CID that we take is longer, characters. */
const maxTextLength = 256

/**
 * The CID that text names, in its one canonical form.
 *
 * @throws {ContentAddressError} `invalid_cid`; `unsupported_cid` for other codecs than dag-pb and raw and other hashes
 * than sha2-256
 */
export function parseCid(text: string): Cid {
  let cid: Cid
  try {
    if (text.length > maxTextLength) throw new Error('too long')
    cid = CID.parse(text)
    if (cid.toString() !== text) throw new Error('not in its canonical base')
  } catch (error) {
    const shown = JSON.stringify(text.slice(0, 80))
    throw new ContentAddressError('invalid_cid', `Not a CID: ${shown} (${(error as Error).message})`)
  }
  checkSupported(cid)
  return cid
}

/**
 * The CID at the beginning of `bytes`, and its length in bytes.
 *
 * @throws {ContentAddressError} `invalid_cid`, `unsupported_cid`
 */
export function decodeCid(bytes: Uint8Array): { cid: Cid; length: number } {
  let cid: Cid
  let rest: Uint8Array
  try {
    ;[cid, rest] = CID.decodeFirst(bytes)
  } catch (error) {
    throw new ContentAddressError('invalid_cid', `Not a binary CID: ${(error as Error).message}`)
  }
  checkSupported(cid)
  return { cid, length: bytes.length - rest.length }
}

/** The CID of a block; raw blocks have no version 0. */
export function cidOf(bytes: Uint8Array, codec: number, version: CidVersion): Cid {
  return cidOfDigest(sha256Bytes(bytes), codec, version)
}

/** The CID of a block with this sha256. */
export function cidOfDigest(sha256: Uint8Array, codec: number, version: CidVersion): Cid {
  const digest = multihash(sha256Code, sha256)
  return version === 0 ? CID.createV0(digest) : CID.createV1(codec, digest)
}

/** The bytes of a block that its CID carries in itself (the identity hash), else undefined. */
export function inlineBlock(cid: Cid): Uint8Array | undefined {
  return cid.multihash.code === identityCode ? cid.multihash.digest : undefined
}

/**
 * Checks that bytes are the block that a CID names.
 *
 * @throws {ContentAddressError} `wrong_bytes`
 */
export function verifyBlock(cid: Cid, bytes: Uint8Array): void {
  const { code, digest } = cid.multihash
  const actual = code === identityCode ? bytes : sha256Bytes(bytes)
  if (sameBytes(actual, digest)) return
  throw new ContentAddressError('wrong_bytes', `The bytes of block ${cid} have another hash`)
}

/** @throws {ContentAddressError} `unsupported_cid` */
export function checkSupported(cid: Cid): void {
  const { code, digest } = cid.multihash
  const isSha256 = code === sha256Code && digest.length === sha256Length
  const isIdentity = code === identityCode && digest.length <= maxIdentityLength
  if ((isSha256 || isIdentity) && (cid.code === dagPbCodec || cid.code === rawCodec)) return
  throw new ContentAddressError(
    'unsupported_cid',
    `${cid} has codec 0x${cid.code.toString(16)} and hash 0x${code.toString(16)}: only dag-pb and raw with sha2-256 are taken`,
  )
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
