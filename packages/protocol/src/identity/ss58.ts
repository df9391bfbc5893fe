import { blake2b } from '@noble/hashes/blake2.js'
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { base58 } from '@scure/base'
import { decodeBase58 } from './untrusted-text.ts'

const checksumSalt = utf8ToBytes('SS58PRE')

/**
 * The ss58 text of a 32-byte public key.
 *
 * @param network the prefix from the ss58 registry, 0 to 16383: 0 Polkadot, 2 Kusama, 42 any chain
 */
export function encodeSs58(publicKey: Uint8Array, network: number): string {
  const body = concatBytes(networkBytes(network), publicKey)
  return base58.encode(concatBytes(body, checksumOf(body)))
}

/** The network and public key of an ss58 address, null when it is not one or its checksum is wrong. */
export function decodeSs58(address: string): { network: number; publicKey: Uint8Array } | null {
  const bytes = decodeBase58(address)
  if (bytes === null || bytes[0]! > 127) return null
  const prefixLength = bytes[0]! < 64 ? 1 : 2
  if (bytes.length !== prefixLength + 34) return null
  const checksum = checksumOf(bytes.subarray(0, -2))
  if (checksum[0] !== bytes.at(-2) || checksum[1] !== bytes.at(-1)) return null
  return { network: networkOf(bytes), publicKey: bytes.slice(prefixLength, -2) }
}

function checksumOf(body: Uint8Array): Uint8Array {
  return blake2b(concatBytes(checksumSalt, body)).subarray(0, 2)
}

/** Prefixes from 64 on take 14 bits of two bytes, in an order of their own. */
function networkBytes(network: number): Uint8Array {
  if (network < 64) return Uint8Array.of(network)
  return Uint8Array.of(((network & 0xfc) >> 2) | 0x40, (network >> 8) | ((network & 0x03) << 6))
}

function networkOf([first, second]: Uint8Array): number {
  if (first! < 64) return first!
  return ((first! & 0x3f) << 2) | (second! >> 6) | ((second! & 0x3f) << 8)
}
