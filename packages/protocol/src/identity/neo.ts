import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { sha256Bytes } from '#sha256'
import { decodeBase58Check, encodeBase58Check } from './base58check.ts'
import { isEcdsaPrivateKey, lowerTwin } from './ecdsa.ts'
import { hash160 } from './hash160.ts'
import { p256 } from './p256.ts'
import { decodeHex, parseJsonObject } from './untrusted-text.ts'
import { withVarintLength } from './varint.ts'

/** Version byte of the addresses of NEO 2; it makes them begin with A. */
const addressVersion = 0x17
const transactionStart = Uint8Array.of(0x01, 0x00, 0x01, 0xf0)
const transactionEnd = Uint8Array.of(0x00, 0x00)

/** The address of a P-256 key on NEO 2 (protocol 01 §4.11). */
export function neoAddress(privateKey: Uint8Array): string {
  if (!isEcdsaPrivateKey(privateKey, 'p256')) throw new TypeError('privateKey: not a key of P-256')
  return addressOfPublicKey(p256.publicKey(privateKey))
}

/** Whether text is an address of NEO 2, its checksum included. */
export function isNeoAddress(address: string): boolean {
  const bytes = decodeBase58Check(address)
  return bytes?.length === 21 && bytes[0] === addressVersion
}

/**
 * Signs a verification buffer as NEO 2 wallets signed text.
 *
 * @param salt text that the wallet put before the message, by default 16 random bytes in hex
 * @returns JSON text: `{"publicKey": hex, "salt": text, "data": hex}`.
 */
export function signNeo(buffer: Uint8Array, privateKey: Uint8Array, salt: string = randomSalt()): string {
  const bytes = p256.sign(digestOf(buffer, salt), privateKey)
  return formatSignature({ bytes, publicKey: p256.publicKey(privateKey), salt })
}

/** Whether `signature` is the JSON text of {@link signNeo} by `sender`. Never throws. */
export function verifyNeo(buffer: Uint8Array, signature: string, sender: string): boolean {
  const parsed = parseSignature(signature)
  if (parsed === null || addressOfPublicKey(parsed.publicKey) !== sender) return false
  return p256.verify(digestOf(buffer, parsed.salt), parsed.bytes, parsed.publicKey)
}

/** The one form a NEO 2 signature is stored and compared in, or null when it is not one. */
export function canonicalNeoSignature(signature: string): string | null {
  const parsed = parseSignature(signature)
  if (parsed === null) return null
  return formatSignature({ ...parsed, bytes: lowerTwin(parsed.bytes, 'p256').bytes })
}

interface NeoSignature {
  bytes: Uint8Array
  publicKey: Uint8Array
  salt: string
}

function formatSignature({ bytes, publicKey, salt }: NeoSignature): string {
  return JSON.stringify({ publicKey: bytesToHex(publicKey), salt, data: bytesToHex(bytes) })
}

function parseSignature(text: string): NeoSignature | null {
  const { publicKey, salt, data } = parseJsonObject(text) ?? {}
  if (typeof publicKey !== 'string' || typeof salt !== 'string' || typeof data !== 'string') return null
  const keyBytes = decodeHex(publicKey)
  const bytes = decodeHex(data)
  return keyBytes?.length === 33 && bytes?.length === 64 ? { bytes, publicKey: keyBytes, salt } : null
}

/** The hash of a script that pushes the key and checks a signature. */
function addressOfPublicKey(publicKey: Uint8Array): string {
  const script = concatBytes(Uint8Array.of(0x21), publicKey, Uint8Array.of(0xac))
  return encodeBase58Check(concatBytes(Uint8Array.of(addressVersion), hash160(script)))
}

/** Wallets wrapped text in what looks like a transaction, so that no text can be one. */
function digestOf(buffer: Uint8Array, salt: string): Uint8Array {
  const text = withVarintLength(concatBytes(utf8ToBytes(salt), buffer))
  return sha256Bytes(concatBytes(transactionStart, text, transactionEnd))
}

function randomSalt(): string {
  return bytesToHex(globalThis.crypto.getRandomValues(new Uint8Array(16)))
}
