import { ripemd160 } from '@noble/hashes/legacy.js'
import { sha256Bytes } from '#sha256'

/** ripemd160 of sha256: what Bitcoin, and many chains after it, make an address of. */
export function hash160(data: Uint8Array): Uint8Array {
  return ripemd160(sha256Bytes(data))
}
