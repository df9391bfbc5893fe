import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { Ed25519 } from './ed25519.ts'

/** What stands before the 32 raw bytes in a PKCS#8 private key and an SPKI public key (RFC 8410). */
const privateKeyPrefix = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicKeyPrefix = Buffer.from('302a300506032b6570032100', 'hex')

export const ed25519: Ed25519 = {
  verify(message, signature, publicKey) {
    try {
      const der = Buffer.concat([publicKeyPrefix, publicKey])
      return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature)
    } catch {
      // OpenSSL throws on a key that is not a point of the curve.
      return false
    }
  },
  sign: (message, secret) => new Uint8Array(sign(null, message, privateKey(secret))),
  publicKey(secret) {
    const der = createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' })
    return new Uint8Array(der.subarray(publicKeyPrefix.length))
  },
}

function privateKey(secret: Uint8Array): KeyObject {
  if (secret.length !== 32) throw new TypeError('secret: an Ed25519 secret has 32 bytes')
  return createPrivateKey({ key: Buffer.concat([privateKeyPrefix, secret]), format: 'der', type: 'pkcs8' })
}
