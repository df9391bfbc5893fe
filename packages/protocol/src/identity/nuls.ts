import { secp256k1 as curve } from '@noble/curves/secp256k1.js'
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js'
import { chainIdOfNulsAddress, encodeNulsAddress } from './nuls-address.ts'
import { nulsDigest, nulsLiteralDigest } from './nuls-digest.ts'
import { compressedPublicKey, secp256k1 } from './secp256k1.ts'
import { decodeHex } from './untrusted-text.ts'
import { withVarintLength } from './varint.ts'

/** Main network of NULS 1; its test network was 261. */
const mainChainId = 8964

/** The address of a secp256k1 key on NULS 1 (protocol 01 §4.10). */
export function nulsAddress(privateKey: Uint8Array, chainId = mainChainId): string {
  return encodeNulsAddress(compressedPublicKey(privateKey), chainId)
}

/** Signs a verification buffer; returns public key and DER signature, each after its length, in hex. */
export function signNuls(buffer: Uint8Array, privateKey: Uint8Array): string {
  const { bytes } = secp256k1.sign(nulsDigest(buffer), privateKey)
  return encodeSignature({ bytes, publicKey: compressedPublicKey(privateKey) })
}

/** Whether `sender` signed the buffer, or what an old Python client made of it. Never throws. */
export function verifyNuls(buffer: Uint8Array, signature: string, sender: string): boolean {
  const parsed = decodeSignature(signature)
  const chainId = chainIdOfNulsAddress(sender)
  if (parsed === null || chainId === null) return false
  const { bytes, publicKey } = parsed
  if (encodeNulsAddress(publicKey, chainId) !== sender) return false
  return (
    secp256k1.verify(nulsDigest(buffer), bytes, publicKey) ||
    secp256k1.verify(nulsLiteralDigest(buffer), bytes, publicKey)
  )
}

/** The one form a NULS 1 signature is stored and compared in, or null when it is not one. */
export function canonicalNulsSignature(signature: string): string | null {
  const parsed = decodeSignature(signature)
  return parsed === null ? null : encodeSignature(parsed)
}

interface NulsSignature {
  bytes: Uint8Array
  publicKey: Uint8Array
}

function encodeSignature({ bytes, publicKey }: NulsSignature): string {
  const der = curve.Signature.fromBytes(bytes, 'compact').toBytes('der')
  return bytesToHex(concatBytes(withVarintLength(publicKey), Uint8Array.of(0), withVarintLength(der)))
}

function decodeSignature(text: string): NulsSignature | null {
  const encoded = decodeHex(text)
  if (encoded === null || encoded[0] !== 33 || encoded[34] !== 0) return null
  const der = encoded.subarray(36)
  if (encoded[35] !== der.length) return null
  const bytes = compactOfDer(der)
  return bytes === null ? null : { bytes, publicKey: encoded.slice(1, 34) }
}

function compactOfDer(der: Uint8Array): Uint8Array | null {
  try {
    return curve.Signature.fromBytes(der, 'der').toBytes('compact')
  } catch {
    // The library has no other way to say that the bytes are not DER.
    return null
  }
}
