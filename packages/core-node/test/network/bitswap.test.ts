import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cid, parseCid } from '@aleph-ts/protocol'
import { lpStream } from '@libp2p/utils'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Bitswap } from '../../src/bitswap/bitswap.ts'
import type { BlockCatalogue, BlockRow } from '../../src/bitswap/block-catalogue.ts'
import {
  type BitswapMessage,
  bitswapProtocol,
  decodeMessage,
  emptyMessage,
  encodeMessage,
  knownCid,
  prefixOf,
} from '../../src/bitswap/message.ts'
import type { P2pHost } from '../../src/gossip/host.ts'
import { FileStore } from '../../src/storage/file-store.ts'
import { patience } from '../testing/patience.ts'
import { startLoopbackHost } from './loopback-host.ts'

const maxBytes = 100_000_000
const file = randomBytes(3_000_000)
const never = new AbortController().signal
const started: { stop(): unknown }[] = []
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-bitswap-'))
})
afterEach(async () => {
  for (const part of started.splice(0).reverse()) await part.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Node {
  host: P2pHost
  fileStore: FileStore
  bitswap: Bitswap
  /** Makes what is stored known to others, but for the blocks of `except`. */
  offer(cid: string, except?: string): Promise<void>
}

async function startHost(): Promise<P2pHost> {
  const host = await startLoopbackHost()
  started.push(host)
  return host
}

/** A node whose catalogue is in memory. */
async function startNode(): Promise<Node> {
  const host = await startHost()
  const fileStore = await FileStore.create(await mkdtemp(join(folder, 'files-')))
  const rows = new Map<string, BlockRow>()
  const catalogue = {
    start() {},
    async stop() {},
    async find(cids: Cid[]) {
      const keys = cids.map((cid) => Buffer.from(cid.multihash.digest).toString('hex'))
      return new Map(keys.flatMap((key) => (rows.has(key) ? [[key, rows.get(key)!]] : [])))
    },
    async read(_cid: Cid, row: BlockRow) {
      const place = { offset: Number(row.at), length: row.length }
      return row.bytes ?? fileStore.readBlock(row.file_hash, place)
    },
  }
  const bitswap = new Bitswap({
    host,
    catalogue: catalogue as unknown as BlockCatalogue,
    logger: pino({ level: 'silent' }),
    metrics: new Registry(),
    patience: { searchMs: 1_000, stallMs: 2_000 },
  })
  await bitswap.start()
  started.push(bitswap)
  return {
    host,
    fileStore,
    bitswap,
    async offer(cid, except) {
      for await (const { digest, place, bytes = null } of fileStore.blocks(cid)) {
        const row = { at: BigInt(place.offset), length: place.length, bytes: bytes as Buffer | null }
        const key = Buffer.from(digest).toString('hex')
        rows.set(key, { digest: Buffer.from(digest), file_hash: cid, ...row })
      }
      if (!except) return
      for await (const { digest } of fileStore.blocks(except))
        rows.delete(Buffer.from(digest).toString('hex'))
    },
  }
}

/** Waits until `from` knows what `to` speaks. */
async function connect(from: P2pHost, to: P2pHost): Promise<void> {
  await from.dial(to.getMultiaddrs())
  const speaks = async (host: P2pHost, other: P2pHost) =>
    expect((await host.peerStore.get(other.peerId)).protocols).toContain(bitswapProtocol)
  await vi.waitFor(() => speaks(from, to), patience)
}

async function fetchInto({ fileStore, bitswap }: Node, cid: string, limit = maxBytes): Promise<void> {
  await fileStore.importBlocks(bitswap.fetch(parseCid(cid), never), { root: cid, maxBytes: limit })
}

/** Somebody who speaks bitswap and answers wants as he likes. */
async function startPeer(answer: (message: BitswapMessage) => BitswapMessage | null): Promise<P2pHost> {
  const host = await startHost()
  await host.handle(bitswapProtocol, async (stream, connection) => {
    const frames = lpStream(stream, { maxBufferSize: 8_000_000 })
    const back = lpStream(await connection.newStream(bitswapProtocol))
    for (;;) {
      const frame = await frames.read().catch(() => null)
      if (!frame) return
      const message = answer(decodeMessage(frame.subarray()))
      if (message) await back.write(encodeMessage(message)).catch(() => {})
    }
  })
  return host
}

/** Says that it has all blocks, and sends for each the bytes that `bytesOf` gives. */
function answering(bytesOf: (cid: Cid) => Uint8Array | null) {
  return ({ wants }: BitswapMessage): BitswapMessage => {
    const message = emptyMessage()
    for (const want of wants.filter(({ cancel }) => !cancel)) {
      const cid = knownCid(want.cid)!
      if (want.wantType === 'have') message.presences.push({ cid: want.cid, has: true })
      else {
        const bytes = bytesOf(cid)
        if (bytes) message.blocks.push({ prefix: prefixOf(cid), bytes })
        else message.presences.push({ cid: want.cid, has: false })
      }
    }
    return message
  }
}

for (const cidVersion of [0, 1] as const) {
  test(`a file with a CID of version ${cidVersion} is fetched block by block, though it lies there whole`, async () => {
    const [near, far] = [await startNode(), await startNode()]
    const { cid } = await near.fileStore.addIpfsFile([file], { cidVersion, maxBytes })
    await near.offer(cid)
    await connect(far.host, near.host)
    await fetchInto(far, cid)
    expect(Buffer.from((await far.fileStore.readBytes(cid))!).equals(file)).toBe(true)
  })
}

test('a folder is fetched from several peers, each of which has a part of it', async () => {
  const [left, right, far] = [await startNode(), await startNode(), await startNode()]
  const files = [
    { path: 'a/first', bytes: [file] },
    { path: 'second', bytes: [randomBytes(900_000)] },
  ]
  const { cid } = await left.fileStore.addIpfsFolder(files, { maxBytes })
  const part = (await left.fileStore.addIpfsFile([file], { maxBytes })).cid
  await left.offer(cid, part)
  await right.fileStore.addIpfsFile([file], { maxBytes })
  await right.offer(part)
  await connect(far.host, left.host)
  await connect(far.host, right.host)
  await fetchInto(far, cid)
  expect(await far.fileStore.stat(cid)).toEqual(await left.fileStore.stat(cid))
})

test('what no connected peer has is said to be missing at once', async () => {
  const [near, far] = [await startNode(), await startNode()]
  const { cid } = await far.fileStore.addIpfsFile([file], { maxBytes })
  await far.fileStore.delete(cid)
  await expect(fetchInto(far, cid)).rejects.toMatchObject({ code: 'missing_block' })
  await connect(far.host, near.host)
  await expect(fetchInto(far, cid)).rejects.toMatchObject({ code: 'missing_block' })
})

test('a DAG with more bytes than allowed is given up', async () => {
  const [near, far] = [await startNode(), await startNode()]
  const { cid } = await near.fileStore.addIpfsFile([file], { maxBytes })
  await near.offer(cid)
  await connect(far.host, near.host)
  await expect(fetchInto(far, cid, 1_000_000)).rejects.toMatchObject({ code: 'file_too_large' })
  expect(await far.fileStore.has(cid)).toBe(false)
})

for (const [what, answer] of Object.entries<(message: BitswapMessage) => BitswapMessage | null>({
  'sends other bytes': answering(() => randomBytes(1000)),
  'says it has what it has not': answering(() => null),
  'never sends what it has': (message) => {
    const said = answering(() => null)(message)
    return { ...said, presences: said.presences.filter(({ has }) => has) }
  },
  'says nothing': () => null,
})) {
  test(`a peer that ${what} does not keep a file from coming from another one`, async () => {
    const [near, far, bad] = [await startNode(), await startNode(), await startPeer(answer)]
    const { cid } = await near.fileStore.addIpfsFile([file], { maxBytes })
    await near.offer(cid)
    await connect(far.host, bad)
    await connect(far.host, near.host)
    await fetchInto(far, cid)
    expect(await far.fileStore.size(cid)).toBe(file.length)
  })
}

test('a peer that sent other bytes is not asked again for a while', async () => {
  let asked = 0
  const lie = answering(() => randomBytes(1000))
  const bad = await startPeer((message) => {
    asked += 1
    return lie(message)
  })
  const far = await startNode()
  await connect(far.host, bad)
  const { cid } = await far.fileStore.addIpfsFile([file], { maxBytes })
  await far.fileStore.delete(cid)
  await expect(fetchInto(far, cid)).rejects.toMatchObject({ code: 'missing_block' })
  const before = asked
  await expect(fetchInto(far, cid)).rejects.toMatchObject({ code: 'missing_block' })
  expect(asked).toBe(before)
})

test('a peer that leaves half way does not keep the rest from coming from another one', async () => {
  const [near, far, gone] = [await startNode(), await startNode(), await startNode()]
  const { cid } = await near.fileStore.addIpfsFile([randomBytes(20_000_000)], { maxBytes })
  await near.offer(cid)
  await gone.fileStore.importCar((await near.fileStore.exportCar(cid))!, { maxBytes })
  await gone.offer(cid)
  await connect(far.host, near.host)
  await connect(far.host, gone.host)
  let blocks = 0
  for await (const _ of far.bitswap.fetch(parseCid(cid), never)) {
    if (++blocks === 5) await gone.host.stop()
  }
  expect(blocks).toBe(78)
})

test('whoever wants more than is kept, or talks nonsense, does no harm to others', async () => {
  const [near, far, hostile] = [await startNode(), await startNode(), await startHost()]
  const { cid } = await near.fileStore.addIpfsFile([file], { maxBytes })
  await near.offer(cid)
  await connect(hostile, near.host)
  const wants = Array.from({ length: 4000 }, () => ({
    cid: Buffer.concat([Buffer.from('01551220', 'hex'), randomBytes(32)]),
    priority: 1,
    cancel: false,
    wantType: 'block' as const,
    sendDontHave: true,
  }))
  const [connection] = hostile.getConnections(near.host.peerId)
  for (let round = 0; round < 10; round++) {
    const frames = lpStream(await connection!.newStream(bitswapProtocol))
    await frames.write(encodeMessage({ ...emptyMessage(), wants })).catch(() => {})
    await frames.write(randomBytes(1000)).catch(() => {})
  }
  await connect(far.host, near.host)
  await fetchInto(far, cid)
  expect(await far.fileStore.size(cid)).toBe(file.length)
})
