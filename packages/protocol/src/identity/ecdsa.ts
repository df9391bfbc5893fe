import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js'

const orders = {
  secp256k1: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  p256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
} as const

export type EcdsaCurve = keyof typeof orders

/** Whether 32 bytes are a private key of the curve: a number from 1 to below its order. */
export function isEcdsaPrivateKey(key: Uint8Array, curve: EcdsaCurve): boolean {
  if (key.length !== 32) return false
  const number = bytesToNumberBE(key)
  return number > 0n && number < orders[curve]
}

/**
 * The twin of r ‖ s that has the lower s. Of every ECDSA signature anybody can make its twin, which is as valid;
 * the lower one is the form that is stored and compared (protocol 01 §14.7). Numbers out of range stay as they are.
 */
export function lowerTwin(bytes: Uint8Array, curve: EcdsaCurve): { bytes: Uint8Array; flipped: boolean } {
  const order = orders[curve]
  const s = bytesToNumberBE(bytes.subarray(32, 64))
  if (s <= order >> 1n || s >= order) return { bytes, flipped: false }
  const twin = bytes.slice()
  twin.set(numberToBytesBE(order - s, 32), 32)
  return { bytes: twin, flipped: true }
}

/** The 33-byte form of a 65-byte public key. */
export function compressPublicKey(uncompressed: Uint8Array): Uint8Array {
  const compressed = uncompressed.slice(0, 33)
  compressed[0] = (uncompressed[64]! & 1) === 0 ? 2 : 3
  return compressed
}
