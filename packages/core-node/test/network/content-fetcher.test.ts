import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDag, otherLayouts, parseCid, sha256Hex } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Kubo } from '../../src/content/kubo.ts'
import { PeerContentFetcher, type PeerContentFetcherOptions } from '../../src/content/peer-content-fetcher.ts'
import { registeredRequests } from '../../src/registered-request.ts'
import { FileStore } from '../../src/storage/file-store.ts'

const file = randomBytes(300_000)
const hash = sha256Hex(file)
const maxBytes = 1024 * 1024
const servers: Server[] = []
let folder: string
let fileStore: FileStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-content-'))
  fileStore = await FileStore.create(folder)
})

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await rm(folder, { recursive: true, force: true })
})

/** A core node that answers in some way, and the paths it was asked for. */
async function startPeer(answer: RequestListener): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(request, response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked }
}

const honest: RequestListener = (_request, response) => response.end(file)
const liar: RequestListener = (_request, response) => response.end(randomBytes(1000))
const without: RequestListener = (_request, response) => response.writeHead(404).end()
const silent: RequestListener = () => {}
const endless: RequestListener = (_request, response) => {
  const send = (): void => {
    while (!response.destroyed && response.write(randomBytes(65_536)));
    response.once('drain', send)
  }
  send()
}
const stalling: RequestListener = (_request, response) => void response.write(file.subarray(0, 1000))
const dropping: RequestListener = (_request, response) => {
  response.write(file.subarray(0, 1000))
  setTimeout(() => response.destroy(), 20)
}

/** Answers once another peer has been asked: whatever that one does has been tried. */
function afterAskedOf(other: { asked: string[] }, answer: RequestListener): RequestListener {
  return (request, response) => {
    const timer = setInterval(() => {
      if (other.asked.length === 0) return
      clearInterval(timer)
      answer(request, response)
    }, 20)
    response.on('close', () => clearInterval(timer))
  }
}

/** A fetcher with some sources, patient with them unless the test says otherwise. */
function createFetcher(...urls: string[]): PeerContentFetcher {
  return createFetcherWith(urls)
}

function createFetcherWith(
  urls: string[],
  options: Partial<PeerContentFetcherOptions> = {},
): PeerContentFetcher {
  return new PeerContentFetcher({
    fileStore,
    logger: pino({ level: 'silent' }),
    sources: async () => urls,
    open: registeredRequests({ allowPrivate: true }).open,
    hedgeMs: 50,
    ...options,
  })
}

test('a file is fetched by its hash from a peer that has it', async () => {
  const peer = await startPeer(honest)
  await using fetcher = createFetcher(peer.url)
  expect(await fetcher.fetch(hash, 'storage', { maxBytes })).toBe('stored')
  expect(Buffer.from((await fileStore.readBytes(hash))!).equals(file)).toBe(true)
  expect(peer.asked).toEqual([`/api/v0/storage/raw/${hash}`])
})

for (const [what, badPeer] of Object.entries({
  'serves other bytes': liar,
  'does not have it': without,
  'never answers': silent,
  'never stops sending': endless,
  'stops sending half way': stalling,
  'drops the connection half way': dropping,
})) {
  test(`a peer that ${what} does not keep the file from being fetched elsewhere`, async () => {
    const bad = await startPeer(badPeer)
    const good = await startPeer(afterAskedOf(bad, honest))
    // Even a slow machine lets an honest peer go on within this time.
    await using fetcher = createFetcherWith([bad.url, good.url], { stallMs: 1_500 })
    expect(await fetcher.fetch(hash, 'storage', { maxBytes })).toBe('stored')
    expect(await fileStore.size(hash)).toBe(file.length)
  })
  test(`when the only peer ${what} the file is unavailable, and nothing is kept`, async () => {
    const bad = await startPeer(badPeer)
    await using fetcher = createFetcherWith([bad.url], { answerMs: 400, stallMs: 200 })
    expect(await fetcher.fetch(hash, 'storage', { maxBytes })).toBe('unavailable')
    for await (const kept of fileStore.list()) expect.unreachable(`${kept} was kept`)
  })
}

test('a peer that served other bytes is not asked again for a while', async () => {
  const bad = await startPeer(liar)
  await using fetcher = createFetcher(bad.url)
  await fetcher.fetch(hash, 'storage', { maxBytes })
  await fetcher.fetch('a'.repeat(64), 'storage', { maxBytes })
  expect(bad.asked).toHaveLength(1)
})

test('concurrent fetches of one file share one download', async () => {
  const peer = await startPeer(honest)
  await using fetcher = createFetcher(peer.url)
  const fetches = Array.from({ length: 5 }, () => fetcher.fetch(hash, 'storage', { maxBytes }))
  expect(await Promise.all(fetches)).toEqual(Array(5).fill('stored'))
  expect(peer.asked).toHaveLength(1)
})

test('a redirect is not followed', async () => {
  const inner = await startPeer(honest)
  const outer = await startPeer((request, response) =>
    response.writeHead(302, { location: new URL(request.url!, inner.url).href }).end(),
  )
  await using fetcher = createFetcher(outer.url)
  expect(await fetcher.fetch(hash, 'storage', { maxBytes })).toBe('unavailable')
  expect(inner.asked).toEqual([])
})

test('what is not a file hash is never asked for', async () => {
  const peer = await startPeer(honest)
  await using fetcher = createFetcher(peer.url)
  expect(await fetcher.fetch('../../etc/passwd', 'storage', { maxBytes })).toBe('unavailable')
  expect(peer.asked).toEqual([])
})

/** A folder and a file in another store, and what serves their CARs. */
async function otherStore() {
  const store = await FileStore.create(join(folder, 'other'))
  const folderCid = (await store.addIpfsFolder([{ path: 'a/b.txt', bytes: [file] }], { maxBytes })).cid
  const fileCid = (await store.addIpfsFile([file], { maxBytes })).cid
  const serveCar = async (cid: string, response: ServerResponse) => {
    const car = await store.exportCar(cid)
    if (car) car.pipe(response)
    else response.writeHead(404).end()
  }
  const gateway: RequestListener = (request, response) => {
    const cid = /^\/ipfs\/(\w+)\?format=car$/.exec(request.url!)?.[1]
    if (cid) void serveCar(cid, response)
    else response.writeHead(404).end()
  }
  return { folderCid, fileCid, serveCar, gateway }
}

test('a folder is fetched by its CID as the archive of its blocks', async () => {
  const { folderCid, gateway } = await otherStore()
  const peer = await startPeer(gateway)
  await using fetcher = createFetcher(peer.url)
  expect(await fetcher.fetch(folderCid, 'ipfs', { maxBytes })).toBe('stored')
  const found = await fileStore.readPath(folderCid, 'a/b.txt')
  expect(found).toMatchObject({ type: 'file', size: file.length })
  expect(peer.asked).toEqual([`/ipfs/${folderCid}?format=car`])
})

test.each([
  ['the usual layout', undefined],
  ['wrapped leaves and a CID of version 1', otherLayouts(1)[0]],
])('a file is fetched by its CID from a node that knows no archives: %s', async (_, layout) => {
  const cidVersion = layout ? 1 : 0
  const fileCid = new FileDag({ cidVersion, layout }).update(file).finish().cid.toString()
  const peer = await startPeer((request, response) =>
    request.url === `/api/v0/storage/raw/${fileCid}` ? response.end(file) : response.writeHead(404).end(),
  )
  await using fetcher = createFetcher(peer.url)
  expect(await fetcher.fetch(fileCid, 'ipfs', { maxBytes })).toBe('stored')
  expect(Buffer.from((await fileStore.readBytes(fileCid))!).equals(file)).toBe(true)
})

test('a peer that serves other blocks for a CID is passed over, and not asked again for a while', async () => {
  const { folderCid, fileCid, serveCar, gateway } = await otherStore()
  const bad = await startPeer((_request, response) => void serveCar(fileCid, response))
  const good = await startPeer(gateway)
  const urls = [bad.url]
  await using fetcher = createFetcherWith(urls)
  expect(await fetcher.fetch(folderCid, 'ipfs', { maxBytes })).toBe('unavailable')
  urls.push(good.url)
  expect(await fetcher.fetch(folderCid, 'ipfs', { maxBytes })).toBe('stored')
  expect(bad.asked).toHaveLength(1)
})

test('an archive that is larger than allowed is not kept', async () => {
  const { folderCid, gateway } = await otherStore()
  const peer = await startPeer(gateway)
  await using fetcher = createFetcher(peer.url)
  expect(await fetcher.fetch(folderCid, 'ipfs', { maxBytes: 1000 })).toBe('unavailable')
  expect(await fileStore.has(folderCid)).toBe(false)
})

test('what no peer has is asked of Kubo, and its blocks are verified like any other', async () => {
  const { folderCid, fileCid, serveCar } = await otherStore()
  const rpc = await startPeer((_request, response) => void serveCar(folderCid, response))
  await using fetcher = createFetcherWith([], { kubo: new Kubo({ url: rpc.url }) })
  expect(await fetcher.fetch(folderCid, 'ipfs', { maxBytes })).toBe('stored')
  expect(await fetcher.fetch(fileCid, 'ipfs', { maxBytes })).toBe('unavailable')
  expect(await fetcher.fetch(hash, 'storage', { maxBytes })).toBe('unavailable')
  expect(rpc.asked).toHaveLength(2)
})

test('the size of a DAG is told by its root alone, which is verified', async () => {
  const { folderCid } = await otherStore()
  const other = await FileStore.create(join(folder, 'other'))
  const root = async (cid: string) => {
    for await (const { digest, place, bytes } of other.blocks(cid)) {
      if (Buffer.from(digest).equals(Buffer.from(parseCid(cid).multihash.digest))) {
        return bytes ?? other.readBlock(cid, place)
      }
    }
  }
  const block = (await root(folderCid))!
  const bad = await startPeer((_request, response) => response.end(randomBytes(50)))
  const good = await startPeer((_request, response) => response.end(block))
  await using fetcher = createFetcher(bad.url, good.url)
  const { size } = (await other.stat(folderCid))!
  expect(await fetcher.claimedSize(folderCid)).toEqual({ kind: 'directory', size })
  expect(good.asked).toEqual([`/ipfs/${folderCid}?format=raw`])
  await using alone = createFetcher(bad.url)
  expect(await alone.claimedSize(folderCid)).toBe(undefined)
})
