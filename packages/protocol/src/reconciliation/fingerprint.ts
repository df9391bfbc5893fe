import { sha256Bytes } from '../hash/sha256.ts'
import { digestBytes } from './message-block.ts'
import type { MessageSet } from './message-set.ts'

/**
 * Fingerprints and short ids are so many bytes. That suffices because every session salts them anew: nobody can make
 * messages beforehand that look alike.
 */
export const shortBytes = 8
export const saltBytes = 16

/** What two nodes compare to learn whether they hold the same messages in a range, given by ranks. */
export function fingerprint(set: MessageSet, salt: Uint8Array, from: number, to: number): Uint8Array {
  const input = new Uint8Array(saltBytes + digestBytes + 8)
  const view = new DataView(input.buffer)
  input.set(salt)
  const sum = set.sum(from, to)
  for (const [lane, word] of sum.entries()) view.setUint32(saltBytes + 4 * lane, word)
  view.setFloat64(saltBytes + digestBytes, to - from)
  return sha256Bytes(input).subarray(0, shortBytes)
}

/** The name of a message within one session. */
export function shortId(digest: Uint8Array, salt: Uint8Array): Uint8Array {
  const input = new Uint8Array(saltBytes + digestBytes)
  input.set(salt)
  input.set(digest, saltBytes)
  return sha256Bytes(input).subarray(0, shortBytes)
}
