import { type Envelope, MessageSet } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, expect, test, vi } from 'vitest'
import { CatchUp, type CatchUpContext } from '../../src/catch-up/catch-up.ts'
import type { HeldMessages } from '../../src/catch-up/held-messages.ts'
import { catchUpProtocol } from '../../src/catch-up/wire.ts'
import type { P2pHost } from '../../src/gossip/host.ts'
import { patience } from '../testing/patience.ts'
import { newWallet, post } from '../testing/wallet.ts'
import { startLoopbackHost } from './loopback-host.ts'

const wallet = newWallet()
const started: { stop(): void | Promise<void> }[] = []

afterEach(async () => {
  for (const part of started.splice(0).reverse()) await part.stop()
})

/** Messages in memory: what a node processed. */
class MemoryMessages implements HeldMessages {
  messages: Envelope[] = []
  /** Hashes as a lying node would list them. */
  readonly phantoms: string[] = []
  /** Hashes that were asked for. */
  readonly served: string[] = []

  async set() {
    const set = new MessageSet()
    for (const { item_hash, item_content } of this.messages) {
      set.add(Math.round(JSON.parse(item_content!).time * 1e6), item_hash)
    }
    for (const hash of this.phantoms) set.add(1, hash)
    return set
  }
  async envelopes(hashes: string[]) {
    this.served.push(...hashes)
    return this.messages.filter((message) => hashes.includes(message.item_hash))
  }
  async tombstones() {
    return []
  }
  async unknown(hashes: string[]) {
    const known = new Set(this.messages.map((message) => message.item_hash))
    return hashes.filter((hash) => !known.has(hash))
  }
}

interface Node {
  host: P2pHost
  held: MemoryMessages
  catchUp: CatchUp
  /** Fails the next accepts, as a database that is away would. */
  outage: { messages: number }
}

async function startNode(): Promise<Node> {
  const host = await startLoopbackHost()
  started.push(host)
  const held = new MemoryMessages()
  const outage = { messages: 0 }
  const inbox = {
    async accept(message: Envelope) {
      if (outage.messages-- > 0) throw new Error('the inbox is away')
      if (!held.messages.some((known) => known.item_hash === message.item_hash)) held.messages.push(message)
    },
    pendingCount: 0,
  }
  const metrics = { registry: new Registry() }
  const context = { inbox, metrics, logger: pino({ level: 'silent' }) } as unknown as CatchUpContext
  const catchUp = new CatchUp({ context, host, held, periodMs: 100 })
  await catchUp.start()
  started.push(catchUp)
  return { host, held, catchUp, outage }
}

function connect(from: Node, to: Node) {
  return from.host.dial(to.host.getMultiaddrs())
}

function posts(count: number): Envelope[] {
  return Array.from({ length: count }, (_, index) => post(wallet, `number ${index}`))
}

function hashesOf(node: Node): string[] {
  return node.held.messages.map((message) => message.item_hash).toSorted()
}

test('a node that was away gets every message it lacks from its peer, in batches', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.held.messages.push(...posts(2345))
  await connect(follower, server)
  await vi.waitFor(() => expect(follower.held.messages).toHaveLength(2345), patience)
  expect(hashesOf(follower)).toEqual(hashesOf(server))
  await expect(follower.catchUp.caughtUpOnce).resolves.toBeUndefined()
})

test('two nodes that were apart both end with the messages of both', async () => {
  const [left, right] = [await startNode(), await startNode()]
  const [common, ...rest] = posts(40)
  left.held.messages.push(common!, ...rest.slice(0, 20))
  right.held.messages.push(...rest.slice(20), common!)
  await connect(left, right)
  await vi.waitFor(
    () => expect([left.held.messages.length, right.held.messages.length]).toEqual([40, 40]),
    patience,
  )
  expect(hashesOf(left)).toEqual(hashesOf(right))
})

test('messages that come after the first catch-up are followed too', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  await connect(follower, server)
  await follower.catchUp.caughtUpOnce
  server.held.messages.push(...posts(3))
  await vi.waitFor(() => expect(follower.held.messages).toHaveLength(3), patience)
})

test('messages the inbox could not take are asked for again', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.held.messages.push(...posts(50))
  follower.outage.messages = 5
  await connect(follower, server)
  await vi.waitFor(() => expect(follower.held.messages).toHaveLength(50), patience)
})

test('a peer that lost its data gets it back, and its new messages are taken too', async () => {
  const [left, right] = [await startNode(), await startNode()]
  left.held.messages.push(...posts(30))
  await connect(right, left)
  await vi.waitFor(() => expect(right.held.messages).toHaveLength(30), patience)
  left.held.messages = posts(5)
  await vi.waitFor(() => {
    expect(left.held.messages).toHaveLength(35)
    expect(hashesOf(right)).toEqual(hashesOf(left))
  }, patience)
})

test('a peer that lists messages it does not have holds nothing up, and is not asked for them again', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.held.messages.push(...posts(3))
  server.held.phantoms.push('f'.repeat(64))
  await connect(follower, server)
  await vi.waitFor(() => expect(follower.held.messages).toHaveLength(3), patience)
  const isPhantom = (hash: string) => hash === 'f'.repeat(64)
  await vi.waitFor(() => expect(server.held.served.some(isPhantom)).toBe(true), patience)
  await follower.catchUp.caughtUpOnce
  const askedOnce = server.held.served.filter(isPhantom).length
  server.held.messages.push(...posts(1))
  await vi.waitFor(() => expect(follower.held.messages).toHaveLength(4), patience)
  expect(server.held.served.filter(isPhantom).length).toBe(askedOnce)
})

test('nonsense on the catch-up protocol ends that stream and nothing else', async () => {
  const [server, follower] = [await startNode(), await startNode()]
  server.held.messages.push(...posts(2))
  await connect(follower, server)
  const stream = await follower.host.dialProtocol(server.host.peerId, catchUpProtocol)
  stream.send(new TextEncoder().encode('\u0007nonsense'))
  await vi.waitFor(() => expect(stream.status).not.toBe('open'), patience)
  await vi.waitFor(() => expect(follower.held.messages).toHaveLength(2), patience)
})
