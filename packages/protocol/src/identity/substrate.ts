import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { getPublicKey, secretFromSeed, sign, verify } from '@scure/sr25519'
import { decodeSs58, encodeSs58 } from './ss58.ts'
import { decodeHex, parseJsonObject } from './untrusted-text.ts'

const wrapStart = utf8ToBytes('<Bytes>')
const wrapEnd = utf8ToBytes('</Bytes>')

/**
 * The address of a 32-byte sr25519 seed (protocol 01 §4.8).
 *
 * @param network ss58 prefix: 42, the default, is for any chain, 0 is Polkadot
 */
export function substrateAddress(seed: Uint8Array, network = 42): string {
  return encodeSs58(getPublicKey(secretFromSeed(seed)), network)
}

/** Signs a verification buffer; returns JSON text: `{"curve": "sr25519", "data": "0x…"}`. */
export function signSubstrate(buffer: Uint8Array, seed: Uint8Array): string {
  return formatSignature(sign(secretFromSeed(seed), buffer))
}

/**
 * Whether `sender`, of any network, signed the buffer, as it is or in the `<Bytes>` that browser extensions put
 * around everything they sign. Never throws.
 */
export function verifySubstrate(buffer: Uint8Array, signature: string, sender: string): boolean {
  const bytes = parseSignature(signature)
  const address = decodeSs58(sender)
  if (bytes === null || address === null) return false
  const { publicKey } = address
  return (
    isSignatureOf(buffer, bytes, publicKey) ||
    isSignatureOf(concatBytes(wrapStart, buffer, wrapEnd), bytes, publicKey)
  )
}

/** The one form a Substrate signature is stored and compared in, or null when it is not one. */
export function canonicalSubstrateSignature(signature: string): string | null {
  const bytes = parseSignature(signature)
  return bytes === null ? null : formatSignature(bytes)
}

function formatSignature(bytes: Uint8Array): string {
  return JSON.stringify({ curve: 'sr25519', data: `0x${bytesToHex(bytes)}` })
}

function parseSignature(text: string): Uint8Array | null {
  const { curve = 'sr25519', data } = parseJsonObject(text) ?? {}
  if (curve !== 'sr25519' || typeof data !== 'string') return null
  // Python clients leave the 0x out.
  const bytes = decodeHex(data.replace(/^0x/, ''))
  return bytes?.length === 64 ? bytes : null
}

function isSignatureOf(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    return verify(message, signature, publicKey)
  } catch {
    // The library throws on what is not a point of the curve.
    return false
  }
}
