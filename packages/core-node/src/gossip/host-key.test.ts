import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HostKeyError, loadHostKey } from './host-key.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-keys-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

async function peerId(): Promise<string> {
  return peerIdFromPrivateKey(await loadHostKey(folder)).toString()
}

test('a node keeps the peer id it got at its first start, in a file only its owner can read', async () => {
  const first = await peerId()
  expect(first).toMatch(/^12D3KooW/)
  expect(await peerId()).toBe(first)
  expect((await stat(join(folder, 'p2p-secret.key'))).mode & 0o777).toBe(0o600)
})

test('an RSA key inherited from another implementation gives its peer id', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await writeFile(join(folder, 'node-secret.pkcs8.der'), privateKey.export({ format: 'der', type: 'pkcs8' }))
  expect(await peerId()).toMatch(/^Qm/)
})

test('a broken key file is named, and never replaced', async () => {
  await writeFile(join(folder, 'p2p-secret.key'), 'not a key')
  await expect(loadHostKey(folder)).rejects.toThrow(HostKeyError)
  await expect(loadHostKey(folder)).rejects.toThrow('p2p-secret.key')
})
