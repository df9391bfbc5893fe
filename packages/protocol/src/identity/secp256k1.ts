import { secp256k1 } from '#secp256k1'
import { compressPublicKey, lowerTwin } from './ecdsa.ts'

/** A recoverable ECDSA signature over a 32-byte digest: r ‖ s (64 bytes) and which of the four points it was. */
export interface RecoverableSignature {
  bytes: Uint8Array
  recovery: number
}

/** The operations on secp256k1 that the protocol needs; natively in Node, in JavaScript elsewhere. */
export interface Secp256k1 {
  /** The uncompressed public key (65 bytes, leading 04), or null when there is none. High s is accepted. */
  recover(digest: Uint8Array, signature: RecoverableSignature): Uint8Array | null
  /** Whether r ‖ s is of this key, compressed or not. High s is refused. Never throws. */
  verify(digest: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean
  /** Always with the low s. */
  sign(digest: Uint8Array, privateKey: Uint8Array): RecoverableSignature
  /** The uncompressed public key (65 bytes, leading 04). Throws on a key that is out of range. */
  publicKey(privateKey: Uint8Array): Uint8Array
}

export { secp256k1 }

/** The 33-byte public key. Throws on a private key that is out of range. */
export function compressedPublicKey(privateKey: Uint8Array): Uint8Array {
  return compressPublicKey(secp256k1.publicKey(privateKey))
}

/** The signature with the lower s, naming the same point. */
export function lowerRecoverable(signature: RecoverableSignature): RecoverableSignature {
  const { bytes, flipped } = lowerTwin(signature.bytes, 'secp256k1')
  return flipped ? { bytes, recovery: signature.recovery ^ 1 } : signature
}
