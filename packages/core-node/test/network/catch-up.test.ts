import type { Envelope } from '@aleph-ts/protocol'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { CatchUp, type CatchUpContext } from '../../src/catch-up/catch-up.ts'
import type { Cursor, CursorStore } from '../../src/catch-up/cursor-table.ts'
import type { MessageLog } from '../../src/catch-up/message-log.ts'
import { catchUpProtocol } from '../../src/catch-up/wire.ts'
import { createHost, type P2pHost } from '../../src/gossip/host.ts'
import { newWallet, post } from '../testing/wallet.ts'

const wallet = newWallet()
const patience = { timeout: 15_000, interval: 20 }
const started: { stop(): void | Promise<void> }[] = []

afterEach(async () => {
  for (const part of started.splice(0).reverse()) await part.stop()
})

/** A log in memory: what a node processed, in order. */
class MemoryLog implements MessageLog {
  logId = 'first'
  readonly messages: Envelope[] = []
  /** Hashes as a lying node would list them. */
  readonly phantoms: string[] = []

  async id() {
    return this.logId
  }
  async entriesAfter(seq: bigint, limit: number) {
    const hashes = [...this.messages.map((message) => message.item_hash), ...this.phantoms]
    const entries = hashes.map((hash, index) => ({ seq: BigInt(index + 1), hash }))
    return entries.filter((entry) => entry.seq > seq).slice(0, limit)
  }
  async envelopes(hashes: string[]) {
    return this.messages.filter((message) => hashes.includes(message.item_hash))
  }
  async unknown(hashes: string[]) {
    const known = new Set(this.messages.map((message) => message.item_hash))
    return hashes.filter((hash) => !known.has(hash))
  }
}

class MemoryCursors implements CursorStore {
  readonly cursors = new Map<string, Cursor>()
  async load(peerId: string) {
    return this.cursors.get(peerId) ?? null
  }
  async save(peerId: string, cursor: Cursor) {
    this.cursors.set(peerId, cursor)
  }
}

interface Node {
  host: P2pHost
  log: MemoryLog
  cursors: MemoryCursors
  catchUp: CatchUp
  /** Fails the next accepts, as a database that is away would. */
  outage: { messages: number }
}

async function startNode(): Promise<Node> {
  const host = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listenHost: '127.0.0.1',
    listenPort: 0,
    topics: [],
  })
  await host.start()
  started.push(host)
  const log = new MemoryLog()
  const cursors = new MemoryCursors()
  const outage = { messages: 0 }
  const inbox = {
    async accept(message: Envelope) {
      if (outage.messages-- > 0) throw new Error('the inbox is away')
      if (!log.messages.some((known) => known.item_hash === message.item_hash)) log.messages.push(message)
    },
  }
  const context = { inbox, logger: pino({ level: 'silent' }) } as unknown as CatchUpContext
  const catchUp = new CatchUp({ context, host, log, cursors, periodMs: 100 })
  await catchUp.start()
  started.push(catchUp)
  return { host, log, cursors, catchUp, outage }
}

function connect(from: Node, to: Node) {
  return from.host.dial(to.host.getMultiaddrs())
}

function posts(count: number): Envelope[] {
  return Array.from({ length: count }, (_, index) => post(wallet, `number ${index}`))
}

function hashesOf(node: Node): string[] {
  return node.log.messages.map((message) => message.item_hash).toSorted()
}

test('a node that was away gets every message it lacks from its peer, in pages', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.log.messages.push(...posts(2345))
  await connect(follower, server)
  await vi.waitFor(() => expect(follower.log.messages).toHaveLength(2345), patience)
  expect(hashesOf(follower)).toEqual(hashesOf(server))
  await expect(follower.catchUp.caughtUpOnce).resolves.toBeUndefined()
})

test('two nodes that were apart both end with the messages of both', async () => {
  const [left, right] = [await startNode(), await startNode()]
  const [common, ...rest] = posts(40)
  left.log.messages.push(common!, ...rest.slice(0, 20))
  right.log.messages.push(...rest.slice(20), common!)
  await connect(left, right)
  await vi.waitFor(
    () => expect([left.log.messages.length, right.log.messages.length]).toEqual([40, 40]),
    patience,
  )
  expect(hashesOf(left)).toEqual(hashesOf(right))
})

test('messages that come after the first catch-up are followed too', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  await connect(follower, server)
  await follower.catchUp.caughtUpOnce
  server.log.messages.push(...posts(3))
  await vi.waitFor(() => expect(follower.log.messages).toHaveLength(3), patience)
})

test('messages the inbox could not take are asked for again', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.log.messages.push(...posts(50))
  follower.outage.messages = 5
  await connect(follower, server)
  await vi.waitFor(() => expect(follower.log.messages).toHaveLength(50), patience)
})

test('a peer that lost its data is followed again from the beginning of its new log', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.log.messages.push(...posts(30))
  await connect(follower, server)
  await vi.waitFor(() => expect(follower.log.messages).toHaveLength(30), patience)
  server.log.logId = 'second'
  server.log.messages.splice(
    0,
    30,
    ...posts(30)
      .map((_, index) => post(wallet, `new ${index}`))
      .slice(0, 5),
  )
  await vi.waitFor(
    () => expect(hashesOf(follower)).toEqual(expect.arrayContaining(hashesOf(server))),
    patience,
  )
})

test('a peer that lists messages it does not have holds nothing up', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.log.messages.push(...posts(3))
  server.log.phantoms.push('f'.repeat(64))
  await connect(follower, server)
  await vi.waitFor(() => expect(follower.log.messages).toHaveLength(3), patience)
  await vi.waitFor(
    () => expect(follower.cursors.cursors.get(server.host.peerId.toString())?.seq).toBe(4n),
    patience,
  )
})

test('nonsense on the catch-up protocol ends that stream and nothing else', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.log.messages.push(...posts(2))
  await connect(follower, server)
  const stream = await follower.host.dialProtocol(server.host.peerId, catchUpProtocol)
  stream.send(new TextEncoder().encode('\u0007nonsense'))
  await vi.waitFor(() => expect(stream.status).not.toBe('open'), patience)
  await vi.waitFor(() => expect(follower.log.messages).toHaveLength(2), patience)
})
