import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileStore } from './file-store.ts'

let folder: string
let store: FileStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-files-'))
  store = await FileStore.create(folder)
})
afterEach(() => rm(folder, { recursive: true }))

async function hashes(): Promise<string[]> {
  const found: string[] = []
  for await (const hash of store.list()) found.push(hash)
  return found
}

const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')

test('what is written is found under its hash, whole', async () => {
  const stored = await store.write([Buffer.from('hel'), Buffer.from('lo')], { maxBytes: 5 })
  expect(stored).toEqual({ hash: sha256('hello'), size: 5 })
  expect(await store.size(stored.hash)).toBe(5)
  expect(Buffer.from((await store.readBytes(stored.hash))!).toString()).toBe('hello')
  expect(await hashes()).toEqual([stored.hash])
  await store.delete(stored.hash)
  expect(await store.has(stored.hash)).toBe(false)
})

test('too many or other bytes leave nothing behind', async () => {
  const bytes = [Buffer.from('hello')]
  await expect(store.write(bytes, { maxBytes: 4 })).rejects.toMatchObject({ code: 'file_too_large' })
  const expectedHash = sha256('other')
  await expect(store.write(bytes, { maxBytes: 9, expectedHash })).rejects.toMatchObject({
    code: 'hash_mismatch',
  })
  expect(await readdir(join(folder, 'incoming'))).toEqual([])
  expect(await hashes()).toEqual([])
})

test('a source that breaks off leaves nothing behind', async () => {
  async function* broken() {
    yield Buffer.from('half')
    throw new Error('gone')
  }
  await expect(store.write(broken(), { maxBytes: 100 })).rejects.toThrow('gone')
  expect(await readdir(join(folder, 'incoming'))).toEqual([])
})

test('only hashes are paths', async () => {
  for (const name of ['../../etc/passwd', '', 'a'.repeat(65), `${'a'.repeat(62)}/x`]) {
    await expect(store.size(name)).rejects.toThrow('Not a file hash')
  }
})
