import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { Ed25519PublicKey } from '@libp2p/interface'

const mostKeys = 1_000
const keyBytes = 32
const imported = new Map<string, KeyObject>()

/**
 * Makes libp2p's Ed25519 keys remember what OpenSSL makes of them. By itself libp2p imports the key again for every
 * signature, which is a third of a check, and every gossip message has one. The keys are few: those of nodes.
 */
export function rememberImportedKeys(): void {
  const prototype: Ed25519PublicKey = Object.getPrototypeOf(publicKeyFromRaw(new Uint8Array(keyBytes)))
  prototype.verify = function (data, signature) {
    return verify(null, data instanceof Uint8Array ? data : data.subarray(), keyObjectOf(this.raw), signature)
  }
}

function keyObjectOf(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url')
  const known = imported.get(x)
  if (known) return known
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
  // Whoever makes up many keys makes us import again, no more.
  if (imported.size >= mostKeys) imported.clear()
  imported.set(x, key)
  return key
}
