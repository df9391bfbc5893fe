import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDag, otherLayouts } from '@aleph-ts/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileStore, type FolderFile } from './file-store.ts'

const maxBytes = 10_000_000
const website: Record<string, string | Buffer> = {
  'index.html': '<h1>hello</h1>',
  'img/logo.svg': '<svg/>',
  'img/deep/movie.bin': randomBytes(700_000),
}

let folder: string
let store: FileStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-ipfs-'))
  store = await FileStore.create(join(folder, 'main'))
})
afterEach(() => rm(folder, { recursive: true }))

async function* filesOf(files: Record<string, string | Buffer>): AsyncGenerator<FolderFile> {
  for (const [path, content] of Object.entries(files)) yield { path, bytes: pieces(Buffer.from(content)) }
}

function* pieces(bytes: Uint8Array, size = 60_000): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect(source: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of source!) parts.push(part)
  return Buffer.concat(parts)
}

async function kept(): Promise<string[]> {
  expect(await readdir(join(folder, 'main', 'incoming'))).toEqual([])
  const hashes: string[] = []
  for await (const hash of store.list()) hashes.push(hash)
  return hashes
}

/** What a second store holds after it took this one's CAR. */
async function copied(cid: string): Promise<FileStore> {
  const other = await FileStore.create(join(folder, 'other'))
  const stat = await store.stat(cid)
  expect(await other.importCar((await store.exportCar(cid))!, { maxBytes, expectedRoot: cid })).toEqual({
    cid,
    ...stat,
  })
  return other
}

describe('an IPFS file', () => {
  test.each([0, 1] as const)('is kept under the CID that Kubo gives it (version %i)', async (cidVersion) => {
    const bytes = randomBytes(600_000)
    const { cid, size } = await store.addIpfsFile(pieces(bytes), { cidVersion, maxBytes })
    expect(cid.startsWith(cidVersion === 0 ? 'Qm' : 'bafy')).toBe(true)
    expect(size).toBe(600_000)
    expect(await store.stat(cid)).toEqual({ type: 'file', size })
    expect((await collect(store.read(cid))).equals(bytes)).toBe(true)
    expect(Buffer.from((await store.readBytes(cid))!).equals(bytes)).toBe(true)
    expect(await collect(store.read(cid, { start: 5, end: 9 }))).toEqual(bytes.subarray(5, 10))
    const found = await store.readPath(cid, '')
    expect((await collect(found!.read())).equals(bytes)).toBe(true)
    await expect(store.readPath(cid, 'x')).rejects.toMatchObject({ code: 'not_a_directory' })
    expect(await kept()).toEqual([cid])
    await store.delete(cid)
    expect(await store.has(cid)).toBe(false)
  })

  test.each([0, 1] as const)('goes to another store as a CAR (version %i)', async (cidVersion) => {
    const bytes = Buffer.concat([randomBytes(400_000), Buffer.alloc(800_000)])
    const { cid } = await store.addIpfsFile(pieces(bytes), { cidVersion, maxBytes })
    const other = await copied(cid)
    expect((await collect(other.read(cid))).equals(bytes)).toBe(true)
    expect(Buffer.from((await other.readBytes(cid))!).equals(bytes)).toBe(true)
    const range = { start: 262_000, end: 700_000 }
    expect((await collect(other.read(cid, range))).equals(bytes.subarray(262_000, 700_001))).toBe(true)
    await other.delete(cid)
    expect(await other.stat(cid)).toBeUndefined()
  })

  test.each(
    ([0, 1] as const).flatMap((cidVersion) =>
      otherLayouts(cidVersion).map((layout) => ({ cidVersion, layout })),
    ),
  )(
    'is kept under the CID expected when another known layout gives it: $cidVersion $layout',
    async ({ cidVersion, layout }) => {
      const bytes = randomBytes(2_500_000)
      const expectedCid = new FileDag({ cidVersion, layout }).update(bytes).finish().cid.toString()
      const { cid, size } = await store.addIpfsFile(pieces(bytes), { cidVersion, maxBytes, expectedCid })
      expect({ cid, size }).toEqual({ cid: expectedCid, size: bytes.length })
      const other = await copied(cid)
      for (const holder of [store, other]) {
        expect(await holder.stat(cid)).toEqual({ type: 'file', size })
        expect((await collect(holder.read(cid))).equals(bytes)).toBe(true)
      }
      expect(await kept()).toEqual([cid])
    },
  )

  test('of other bytes than expected leaves nothing behind', async () => {
    const expectedCid = 'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH'
    await expect(store.addIpfsFile([Buffer.from('x')], { maxBytes, expectedCid })).rejects.toMatchObject({
      code: 'hash_mismatch',
    })
    await expect(store.addIpfsFile(pieces(randomBytes(11)), { maxBytes: 10 })).rejects.toMatchObject({
      code: 'file_too_large',
    })
    expect((await store.addIpfsFile([], { maxBytes, expectedCid })).size).toBe(0)
    expect(await kept()).toEqual([expectedCid])
  })
})

describe('an IPFS folder', () => {
  test.each([0, 1] as const)('is kept, walked, read by path and copied (version %i)', async (cidVersion) => {
    const added = await store.addIpfsFolder(filesOf(website), { cidVersion, maxBytes })
    const { cid } = added
    expect(added).toMatchObject({ type: 'dir' })
    expect(added.size).toBeGreaterThan(700_000)
    const other = await copied(cid)
    for (const holder of [store, other]) {
      expect(await holder.stat(cid)).toEqual({ type: 'dir', size: added.size })
      const walked: Record<string, Buffer> = {}
      for await (const entry of holder.walk(cid)) {
        if (entry.kind === 'file') walked[entry.path] = await collect(entry.read())
      }
      expect(Object.keys(walked).sort()).toEqual(Object.keys(website).sort())
      for (const [path, content] of Object.entries(website)) {
        expect(walked[path]!.equals(Buffer.from(content))).toBe(true)
      }
      const movie = await holder.readPath(cid, 'img/deep/movie.bin')
      expect(movie).toMatchObject({ type: 'file', size: 700_000 })
      expect(await collect(movie!.read({ start: 1, end: 3 }))).toEqual(
        (website['img/deep/movie.bin'] as Buffer).subarray(1, 4),
      )
      expect(await holder.readPath(cid, 'img')).toMatchObject({ type: 'dir' })
      await expect(holder.readPath(cid, 'nothing')).rejects.toMatchObject({ code: 'not_found' })
      await expect(holder.readBytes(cid)).rejects.toMatchObject({ code: 'not_a_file' })
      await expect(collect(holder.read(cid))).rejects.toMatchObject({ code: 'not_a_file' })
    }
  })

  test('too large, or with a path that leads out of it, leaves nothing behind', async () => {
    await expect(store.addIpfsFolder(filesOf(website), { maxBytes: 100_000 })).rejects.toMatchObject({
      code: 'file_too_large',
    })
    const outside = filesOf({ '../../etc/passwd': 'x' })
    await expect(store.addIpfsFolder(outside, { maxBytes })).rejects.toMatchObject({ code: 'invalid_path' })
    expect(await kept()).toEqual([])
  })
})

describe('a CAR', () => {
  async function carOf(files: Record<string, string | Buffer>): Promise<{ cid: string; car: Buffer }> {
    const source = await FileStore.create(join(folder, 'source'))
    const { cid } = await source.addIpfsFolder(filesOf(files), { cidVersion: 1, maxBytes })
    return { cid, car: await collect(await source.exportCar(cid)) }
  }

  test('is taken only whole, unchanged, of the root expected, and with nothing else in it', async () => {
    const { cid, car } = await carOf(website)
    const { cid: otherCid, car: otherCar } = await carOf({ other: 'folder' })
    const headerBytes = 59
    const refusals: [string, Buffer, string?][] = [
      ['wrong_bytes', Buffer.from(car.map((byte, at) => (at === 1000 ? byte ^ 1 : byte)))],
      ['invalid_car', car.subarray(0, -1)],
      ['missing_block', Buffer.concat([car.subarray(0, headerBytes), otherCar.subarray(headerBytes)])],
      ['invalid_car', Buffer.concat([car, otherCar.subarray(headerBytes)])],
      ['hash_mismatch', car, otherCid],
      ['invalid_car', Buffer.from('<html>')],
    ]
    for (const [code, bytes, expectedRoot] of refusals) {
      await expect(store.importCar(pieces(bytes), { maxBytes, expectedRoot }), code).rejects.toMatchObject({
        code,
      })
    }
    await expect(store.importCar(pieces(car), { maxBytes: 1000 })).rejects.toMatchObject({
      code: 'file_too_large',
    })
    expect(await kept()).toEqual([])
    expect(await store.importCar(pieces(car), { maxBytes })).toMatchObject({ cid, type: 'dir' })
  })

  test('that breaks off leaves nothing behind', async () => {
    const { cid, car } = await carOf(website)
    async function* broken() {
      yield* pieces(car.subarray(0, 400_000))
      throw new Error('gone')
    }
    await expect(store.importCar(broken(), { maxBytes })).rejects.toThrow('gone')
    expect(await store.stat(cid)).toBeUndefined()
  })
})

test('what is not stored is absent, not an error', async () => {
  const cid = 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354'
  expect(await store.stat(cid)).toBeUndefined()
  expect(await store.readBytes(cid)).toBeUndefined()
  expect(await store.exportCar(cid)).toBeUndefined()
  expect(await store.readPath(cid, 'x')).toBeUndefined()
  await expect(collect(store.read(cid))).rejects.toMatchObject({ code: 'ENOENT' })
})
