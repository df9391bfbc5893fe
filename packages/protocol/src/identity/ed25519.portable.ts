import { ed25519 as curve } from '@noble/curves/ed25519.js'
import { bytesToNumberLE } from '@noble/curves/utils.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import type { Ed25519 } from './ed25519.ts'

const { Point } = curve
const order = Point.Fn.ORDER

export const ed25519: Ed25519 = {
  /** Written out because the library's own check multiplies by the cofactor, which OpenSSL and libsodium do not. */
  verify(message, signature, publicKey) {
    const encodedR = signature.subarray(0, 32)
    const s = bytesToNumberLE(signature.subarray(32))
    if (s >= order) return false
    const key = decodePoint(publicKey)
    if (key === null) return false
    const k = bytesToNumberLE(sha512(concatBytes(encodedR, publicKey, message))) % order
    const r = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k)).toBytes()
    return r.every((byte, i) => byte === encodedR[i])
  },
  sign: (message, secret) => curve.sign(message, secret),
  publicKey: (secret) => curve.getPublicKey(secret),
}

function decodePoint(encoded: Uint8Array) {
  try {
    return Point.fromBytes(encoded)
  } catch {
    // The library has no other way to say that the bytes are not a point.
    return null
  }
}
