import { hexToBytes } from '@noble/hashes/utils.js'
import { base58, base64, bech32 } from '@scure/base'

/** Decoding base58 takes quadratic time; no key, address or signature of any chain is longer than this. */
const longestBase58 = 128

/** The bytes of hex text in either case, without 0x; null when it is not that. */
export function decodeHex(text: string): Uint8Array | null {
  return /^(?:[0-9a-fA-F]{2})*$/.test(text) ? hexToBytes(text) : null
}

/** The bytes of base58 text, null when it is not that or too long to be of any use. */
export function decodeBase58(text: string): Uint8Array | null {
  return text.length > longestBase58 ? null : orNull(() => base58.decode(text))
}

/** The bytes of padded base64 text, null when it is not that. */
export function decodeBase64(text: string): Uint8Array | null {
  return orNull(() => base64.decode(text))
}

/** The prefix and bytes of bech32 text in lower case, null when it is not that or its checksum is wrong. */
export function decodeBech32(text: string): { prefix: string; bytes: Uint8Array } | null {
  if (text !== text.toLowerCase()) return null
  return orNull(() => bech32.decodeToBytes(text))
}

/** The object that JSON text stands for, null when it is not text of an object. */
export function parseJsonObject(text: string): Record<string, unknown> | null {
  const value = orNull<unknown>(() => JSON.parse(text))
  return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null
}

/** The decoders used here say no by throwing only, and a bad signature is an answer, not an error. */
function orNull<T>(decode: () => T): T | null {
  try {
    return decode()
  } catch {
    return null
  }
}
