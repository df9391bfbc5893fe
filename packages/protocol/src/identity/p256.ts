import { p256 as curve } from '@noble/curves/nist.js'

/**
 * P-256 over a 32-byte digest; in JavaScript everywhere, because OpenSSL as Node offers it insists on hashing the
 * message itself, and never with blake2b-256.
 */
export const p256 = {
  /** Whether r ‖ s, of either s, is of this compressed key. Never throws. */
  verify(digest: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    try {
      return curve.verify(signature, digest, publicKey, { prehash: false, lowS: false })
    } catch {
      // The library throws on numbers out of range and on keys that are no point of the curve.
      return false
    }
  },
  /** r ‖ s with the low s. */
  sign: (digest: Uint8Array, privateKey: Uint8Array): Uint8Array =>
    curve.sign(digest, privateKey, { prehash: false, lowS: true }),
  /** The 33-byte public key. Throws on a private key that is out of range. */
  publicKey: (privateKey: Uint8Array): Uint8Array => curve.getPublicKey(privateKey, true),
}
