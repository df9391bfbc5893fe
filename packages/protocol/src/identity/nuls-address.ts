import { concatBytes } from '@noble/hashes/utils.js'
import { base58 } from '@scure/base'
import { hash160 } from './hash160.ts'
import { decodeBase58 } from './untrusted-text.ts'

/** Type of the addresses of keys; contracts and multi-signatures have others. */
const keyAddress = 1

/** Base58 of chain id, type, key hash and the xor of them all (protocol 01 §4.10); both versions of NULS use it. */
export function encodeNulsAddress(publicKey: Uint8Array, chainId: number): string {
  const header = Uint8Array.of(chainId & 0xff, chainId >> 8, keyAddress)
  const body = concatBytes(header, hash160(publicKey))
  return base58.encode(concatBytes(body, Uint8Array.of(xorOf(body))))
}

/** The chain id of an address of a key, null when it is not one. */
export function chainIdOfNulsAddress(address: string): number | null {
  const bytes = decodeBase58(address)
  if (bytes?.length !== 24 || bytes[2] !== keyAddress || xorOf(bytes) !== 0) return null
  return bytes[0]! | (bytes[1]! << 8)
}

function xorOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum ^ byte, 0)
}
