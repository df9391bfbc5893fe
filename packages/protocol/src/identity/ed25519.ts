import { ed25519 as curve } from '#ed25519'
import { isCanonicalPoint, isSmallOrderPoint } from './ed25519-points.ts'

/** Ed25519 over raw 32-byte keys; natively in Node, in JavaScript elsewhere. */
export interface Ed25519 {
  /** Whether S is canonical and R = S·B − k·A, byte for byte (no cofactor, no ZIP-215). */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean
  sign(message: Uint8Array, secret: Uint8Array): Uint8Array
  publicKey(secret: Uint8Array): Uint8Array
}

export { curve }

/**
 * Verifies as libsodium does (protocol 01 §4.5): on top of the equation, keys and points of small order and
 * keys that are not written canonically are refused, so that no signature fits two messages. Never throws.
 */
export function verifyEd25519(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false
  if (!isCanonicalPoint(publicKey) || isSmallOrderPoint(publicKey)) return false
  if (isSmallOrderPoint(signature.subarray(0, 32))) return false
  return curve.verify(message, signature, publicKey)
}
