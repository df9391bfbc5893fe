import { secp256k1 as curve } from '@noble/curves/secp256k1.js'
import type { Secp256k1 } from './secp256k1.ts'

export const secp256k1: Secp256k1 = {
  recover(digest, signature) {
    try {
      return curve.Signature.fromBytes(signature.bytes, 'compact')
        .addRecoveryBit(signature.recovery)
        .recoverPublicKey(digest)
        .toBytes(false)
    } catch {
      // The library has no other way to say that no key could have made this signature.
      return null
    }
  },
  verify(digest, signature, publicKey) {
    try {
      return curve.verify(signature, digest, publicKey, { prehash: false, lowS: true })
    } catch {
      // The library throws on numbers out of range and on keys that are no point of the curve.
      return false
    }
  },
  sign(digest, privateKey) {
    const recovered = curve.sign(digest, privateKey, { prehash: false, format: 'recovered' })
    return { bytes: recovered.slice(1), recovery: recovered[0]! }
  },
  publicKey: (privateKey) => curve.getPublicKey(privateKey, false),
}
