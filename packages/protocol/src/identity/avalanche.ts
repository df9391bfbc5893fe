import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { base58, bech32 } from '@scure/base'
import { sha256Bytes } from '#sha256'
import { compressPublicKey } from './ecdsa.ts'
import { hash160 } from './hash160.ts'
import { lowerRecoverable, type RecoverableSignature, secp256k1 } from './secp256k1.ts'
import { decodeBase58, decodeBech32 } from './untrusted-text.ts'

/** The chains of Avalanche whose addresses are of this kind: exchange, platform, and contract in its bech32 form. */
export type AvalancheChain = 'X' | 'P' | 'C'

/** The address of a secp256k1 key on a chain of Avalanche, such as `X-avax1…` (protocol 01 §4.6). */
export function avalancheAddress(privateKey: Uint8Array, chain: AvalancheChain = 'X'): string {
  return addressOfPublicKey(secp256k1.publicKey(privateKey), chain)
}

/** Whether text is an address of the X, P or C chain, its checksum included. */
export function isAvalancheAddress(address: string): boolean {
  const [, encoded] = /^[XPC]-(avax1.*)$/.exec(address) ?? []
  return encoded !== undefined && decodeBech32(encoded)?.bytes.length === 20
}

/** Signs a verification buffer as Avalanche wallets do; returns r ‖ s ‖ recovery in cb58. */
export function signAvalanche(buffer: Uint8Array, privateKey: Uint8Array): string {
  return encodeSignature(secp256k1.sign(digestOf(buffer), privateKey))
}

/** Whether `sender` signed the buffer; what stands before the dash of an address is free. Never throws. */
export function verifyAvalanche(buffer: Uint8Array, signature: string, sender: string): boolean {
  const dash = sender.indexOf('-')
  const parsed = decodeSignature(signature)
  if (dash === -1 || parsed === null) return false
  const publicKey = secp256k1.recover(digestOf(buffer), parsed)
  return publicKey !== null && addressOfPublicKey(publicKey, sender.slice(0, dash)) === sender
}

/** The one form an Avalanche signature is stored and compared in, or null when it is not one. */
export function canonicalAvalancheSignature(signature: string): string | null {
  const parsed = decodeSignature(signature)
  return parsed === null ? null : encodeSignature(lowerRecoverable(parsed))
}

function addressOfPublicKey(uncompressed: Uint8Array, prefix: string): string {
  return `${prefix}-${bech32.encodeFromBytes('avax', hash160(compressPublicKey(uncompressed)))}`
}

function digestOf(buffer: Uint8Array): Uint8Array {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, buffer.length)
  return sha256Bytes(concatBytes(utf8ToBytes('\x1aAvalanche Signed Message:\n'), length, buffer))
}

function encodeSignature({ bytes, recovery }: RecoverableSignature): string {
  const payload = concatBytes(bytes, Uint8Array.of(recovery))
  return base58.encode(concatBytes(payload, checksumOf(payload)))
}

function decodeSignature(text: string): RecoverableSignature | null {
  const decoded = decodeBase58(text)
  if (decoded?.length !== 69 || decoded[64]! > 3) return null
  const checksum = checksumOf(decoded.subarray(0, 65))
  if (!checksum.every((byte, i) => byte === decoded[65 + i])) return null
  return { bytes: decoded.slice(0, 64), recovery: decoded[64]! }
}

/** cb58 is base58 with the end of a single sha256, unlike Bitcoin's. */
function checksumOf(payload: Uint8Array): Uint8Array {
  return sha256Bytes(payload).subarray(-4)
}
