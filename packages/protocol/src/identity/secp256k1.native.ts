import libsecp256k1 from 'secp256k1'
import type { Secp256k1 } from './secp256k1.ts'

export const secp256k1: Secp256k1 = {
  recover(digest, signature) {
    try {
      return libsecp256k1.ecdsaRecover(signature.bytes, signature.recovery, digest, false)
    } catch {
      // The library has no other way to say that no key could have made this signature.
      return null
    }
  },
  verify(digest, signature, publicKey) {
    try {
      return libsecp256k1.ecdsaVerify(signature, digest, publicKey)
    } catch {
      // The library throws on numbers out of range and on keys that are no point of the curve.
      return false
    }
  },
  sign(digest, privateKey) {
    const { signature, recid } = libsecp256k1.ecdsaSign(digest, privateKey)
    return { bytes: signature, recovery: recid }
  },
  publicKey: (privateKey) => libsecp256k1.publicKeyCreate(privateKey, false),
}
