import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileStore } from '../storage/file-store.ts'
import { blameFor, type Transfer, transfersOf } from './transfer.ts'

const sha256 = 'a'.repeat(64)
const cid = 'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH'
const maxBytes = 10_000
let folder: string
let fileStore: FileStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-transfer-'))
  fileStore = await FileStore.create(folder)
})
afterEach(() => rm(folder, { recursive: true }))

async function blameOf(transfer: Transfer, hash: string, bytes: Uint8Array): Promise<string | null> {
  async function* source() {
    yield bytes
  }
  try {
    await transfer.keep(fileStore, source(), { hash, maxBytes })
  } catch (error) {
    return blameFor(error, transfer)
  }
  return 'kept'
}

test('a hash is asked for only in the forms that can be verified against it', () => {
  expect(transfersOf(sha256, 'storage').map(({ path }) => path(sha256))).toEqual([
    `api/v0/storage/raw/${sha256}`,
  ])
  expect(transfersOf(cid, 'ipfs').map(({ path }) => path(cid))).toEqual([
    `ipfs/${cid}?format=car`,
    `api/v0/storage/raw/${cid}`,
  ])
  expect(transfersOf(cid, 'storage')).toEqual([])
  expect(transfersOf('../../etc/passwd', 'ipfs')).toEqual([])
})

test('wrong bytes are a lie, except bytes of a file that may only have been cut otherwise', async () => {
  const [car, plainForCid] = transfersOf(cid, 'ipfs') as [Transfer, Transfer]
  const [plain] = transfersOf(sha256, 'storage') as [Transfer]
  expect(await blameOf(plain, sha256, randomBytes(10))).toBe('lied')
  expect(await blameOf(car, cid, new Uint8Array(100).fill(1))).toBe('lied')
  expect(await blameOf(plainForCid, cid, randomBytes(10))).toBe('failed')
  expect(await blameOf(plainForCid, cid, new Uint8Array())).toBe('kept')
})

test('nobody is blamed for a file that is too large', async () => {
  const [plain] = transfersOf(sha256, 'storage') as [Transfer]
  expect(await blameOf(plain, sha256, randomBytes(maxBytes + 1))).toBe(null)
  expect(blameFor(new Error('socket hang up'), plain)).toBe('failed')
})
