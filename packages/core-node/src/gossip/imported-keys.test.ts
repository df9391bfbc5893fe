import { generateKeyPair, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { expect, test } from 'vitest'
import { rememberImportedKeys } from './imported-keys.ts'

const data = new TextEncoder().encode('a message of some peer')

test('a remembered key takes the signatures that its owner made, and no others', async () => {
  rememberImportedKeys()
  const [own, other] = [await generateKeyPair('Ed25519'), await generateKeyPair('Ed25519')]
  const signature = await own.sign(data)
  for (const key of [own.publicKey, publicKeyFromRaw(own.publicKey.raw), own.publicKey]) {
    expect(await key.verify(data, signature)).toBe(true)
    expect(await key.verify(data.subarray(1), signature)).toBe(false)
    expect(await key.verify(data, await other.sign(data))).toBe(false)
    expect(await key.verify(data, signature.subarray(1))).toBe(false)
  }
  expect(await other.publicKey.verify(data, signature)).toBe(false)
})
