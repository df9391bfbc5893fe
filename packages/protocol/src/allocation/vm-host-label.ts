import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { base32nopad } from '@scure/base'
import { classifyHash } from '../hash/item-hash.ts'

const labelShape = /^[a-z2-7]{52}$/

/**
 * The DNS label under which compute nodes serve a VM: the 32 bytes of its hash in lower-case base32 without
 * padding (protocol 05 §22).
 *
 * @throws {TypeError} when the hash is not 64 lower-case hex digits.
 */
export function vmHostLabel(itemHash: string): string {
  if (classifyHash(itemHash) !== 'storage') {
    throw new TypeError(`vm hash: expected 64 lower-case hex digits, got ${itemHash.slice(0, 64)}`)
  }
  return base32nopad.encode(hexToBytes(itemHash)).toLowerCase()
}

/** The VM hash of a DNS label (any case), or null when it is none. */
export function parseVmHostLabel(label: string): string | null {
  const lower = label.toLowerCase()
  if (!labelShape.test(lower)) return null
  try {
    return bytesToHex(base32nopad.decode(lower.toUpperCase()))
  } catch {
    // The four bits that 52 letters hold beyond 32 bytes must be zero.
    return null
  }
}
