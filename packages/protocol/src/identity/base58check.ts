import { concatBytes } from '@noble/hashes/utils.js'
import { base58 } from '@scure/base'
import { sha256Bytes } from '#sha256'
import { decodeBase58 } from './untrusted-text.ts'

/** Base58 of bytes and the first four of their double sha256, as Bitcoin, Tezos and NEO write them. */
export function encodeBase58Check(payload: Uint8Array): string {
  return base58.encode(concatBytes(payload, checksumOf(payload)))
}

/** The bytes of {@link encodeBase58Check}, null when text is not that or its checksum is wrong. */
export function decodeBase58Check(text: string): Uint8Array | null {
  const bytes = decodeBase58(text)
  if (bytes === null || bytes.length < 4) return null
  const payload = bytes.subarray(0, -4)
  const checksum = checksumOf(payload)
  return checksum.every((byte, i) => byte === bytes[payload.length + i]) ? payload : null
}

function checksumOf(payload: Uint8Array): Uint8Array {
  return sha256Bytes(sha256Bytes(payload)).subarray(0, 4)
}
