import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { lowerRecoverable, type RecoverableSignature, secp256k1 } from './secp256k1.ts'

const plainAddress = /^0x[0-9a-fA-F]{40}$/
const plainSignature = /^(?:0[xX])?([0-9a-fA-F]{130})$/

/** Whether text has the shape of an EVM address; its checksum is not looked at. */
export function isEvmAddress(address: string): boolean {
  return plainAddress.test(address)
}

/**
 * The EIP-55 form of an EVM address, whatever its case.
 *
 * @throws {TypeError} when it is not `0x` and 40 hex digits.
 */
export function toChecksumAddress(address: string): string {
  if (!plainAddress.test(address)) {
    throw new TypeError(`not an EVM address: expected 0x and 40 hex digits, got ${address.slice(0, 64)}`)
  }
  const lower = address.slice(2).toLowerCase()
  const digest = keccak_256(utf8ToBytes(lower))
  let checked = '0x'
  for (let i = 0; i < lower.length; i++) {
    const nibble = (digest[i >> 1]! >> (i % 2 === 0 ? 4 : 0)) & 0xf
    checked += nibble >= 8 ? lower[i]!.toUpperCase() : lower[i]!
  }
  return checked
}

/** The EIP-55 address of a 32-byte private key. Throws on a key that is out of range. */
export function evmAddress(privateKey: Uint8Array): string {
  return toChecksumAddress(addressOfPublicKey(secp256k1.publicKey(privateKey)))
}

/**
 * Signs bytes as an EIP-191 personal message (protocol 01 §4.3).
 *
 * @returns `0x`, then r ‖ s ‖ v in lower-case hex, v being 27 or 28.
 */
export function personalSign(message: Uint8Array, privateKey: Uint8Array): string {
  return formatSignature(secp256k1.sign(personalMessageDigest(message), privateKey))
}

/**
 * The EIP-55 address whose key signed these bytes as an EIP-191 personal message.
 *
 * @throws {TypeError} when the signature is not 65 bytes of hex or no key could have made it.
 */
export function recoverPersonalSign(message: Uint8Array, signature: string): string {
  const address = recoverLowerCaseAddress(message, signature)
  if (address === null) throw new TypeError('signature: not a recoverable 65-byte signature in hex')
  return toChecksumAddress(address)
}

/** Whether the key of an address, in any case, signed these bytes as an EIP-191 personal message. */
export function verifyPersonalSign(message: Uint8Array, signature: string, address: string): boolean {
  return recoverLowerCaseAddress(message, signature) === address.toLowerCase()
}

/**
 * The one form a signature is stored and compared in: `0x`, lower case, low s, v of 27 or 28 (protocol 01 §14.7).
 * Null when it is not a 65-byte signature.
 */
export function canonicalEvmSignature(signature: string): string | null {
  const parsed = parseSignature(signature)
  return parsed === null ? null : formatSignature(lowerRecoverable(parsed))
}

function recoverLowerCaseAddress(message: Uint8Array, signature: string): string | null {
  const parsed = parseSignature(signature)
  if (parsed === null) return null
  const publicKey = secp256k1.recover(personalMessageDigest(message), parsed)
  return publicKey === null ? null : addressOfPublicKey(publicKey)
}

function formatSignature({ bytes, recovery }: RecoverableSignature): string {
  return `0x${bytesToHex(bytes)}${(27 + recovery).toString(16)}`
}

function parseSignature(signature: string): RecoverableSignature | null {
  const hex = plainSignature.exec(signature)?.[1]
  if (hex === undefined) return null
  const bytes = hexToBytes(hex)
  const recovery = recoveryOf(bytes[64]!)
  return recovery === null ? null : { bytes: bytes.subarray(0, 64), recovery }
}

/** Wallets write the recovery bit as 0/1, 27/28, or folded with a chain id from 35 on (protocol 01 §4.3). */
function recoveryOf(v: number): number | null {
  if (v === 0 || v === 1) return v
  if (v === 27 || v === 28) return v - 27
  return v >= 35 ? (v - 35) % 2 : null
}

/** What an EIP-191 personal signature is over: 32 bytes (protocol 01 §4.3). */
export function personalMessageDigest(message: Uint8Array): Uint8Array {
  const prefix = utf8ToBytes(`\x19Ethereum Signed Message:\n${message.length}`)
  return keccak_256(concatBytes(prefix, message))
}

function addressOfPublicKey(uncompressed: Uint8Array): string {
  return `0x${bytesToHex(keccak_256(uncompressed.subarray(1)).subarray(12))}`
}
