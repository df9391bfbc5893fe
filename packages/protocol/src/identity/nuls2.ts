import { concatBytes } from '@noble/hashes/utils.js'
import { base64 } from '@scure/base'
import { compressPublicKey } from './ecdsa.ts'
import { chainIdOfNulsAddress, encodeNulsAddress } from './nuls-address.ts'
import { nulsDigest } from './nuls-digest.ts'
import { lowerRecoverable, type RecoverableSignature, secp256k1 } from './secp256k1.ts'
import { decodeBase64 } from './untrusted-text.ts'

/** Chain id and what stands before the base58: the chain's prefix, then the letter that says how long it is. */
const networks = {
  main: { chainId: 1, prefix: 'NULSd' },
  test: { chainId: 2, prefix: 'tNULSe' },
} as const

export type Nuls2Network = keyof typeof networks

/** The address of a secp256k1 key on NULS 2 (protocol 01 §4.10). */
export function nuls2Address(privateKey: Uint8Array, network: Nuls2Network = 'main'): string {
  return addressOfPublicKey(secp256k1.publicKey(privateKey), network)
}

/** Whether text is an address of a key on either network, its checksum included. */
export function isNuls2Address(address: string): boolean {
  const network = networkOf(address)
  if (network === null) return false
  const { chainId, prefix } = networks[network]
  return chainIdOfNulsAddress(address.slice(prefix.length)) === chainId
}

/** Signs a verification buffer; returns 27 + recovery, r and s in base64. */
export function signNuls2(buffer: Uint8Array, privateKey: Uint8Array): string {
  return encodeSignature(secp256k1.sign(nulsDigest(buffer), privateKey))
}

/** Whether `sender` signed the buffer. Never throws. */
export function verifyNuls2(buffer: Uint8Array, signature: string, sender: string): boolean {
  const network = networkOf(sender)
  const parsed = decodeSignature(signature)
  if (network === null || parsed === null) return false
  const publicKey = secp256k1.recover(nulsDigest(buffer), parsed)
  return publicKey !== null && addressOfPublicKey(publicKey, network) === sender
}

/** The one form a NULS 2 signature is stored and compared in, or null when it is not one. */
export function canonicalNuls2Signature(signature: string): string | null {
  const parsed = decodeSignature(signature)
  return parsed === null ? null : encodeSignature(lowerRecoverable(parsed))
}

function networkOf(address: string): Nuls2Network | null {
  if (address.startsWith(networks.main.prefix)) return 'main'
  return address.startsWith(networks.test.prefix) ? 'test' : null
}

function addressOfPublicKey(uncompressed: Uint8Array, network: Nuls2Network): string {
  const { chainId, prefix } = networks[network]
  return prefix + encodeNulsAddress(compressPublicKey(uncompressed), chainId)
}

function encodeSignature({ bytes, recovery }: RecoverableSignature): string {
  return base64.encode(concatBytes(Uint8Array.of(27 + recovery), bytes))
}

function decodeSignature(text: string): RecoverableSignature | null {
  const decoded = decodeBase64(text)
  if (decoded?.length !== 65) return null
  const recovery = decoded[0]! - 27
  return recovery >= 0 && recovery <= 3 ? { bytes: decoded.slice(1), recovery } : null
}
