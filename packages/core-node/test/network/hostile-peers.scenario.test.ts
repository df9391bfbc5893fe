import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { devnetProfile, type Envelope, MessageSet } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, expect, test, vi } from 'vitest'
import { CatchUp, type CatchUpContext } from '../../src/catch-up/catch-up.ts'
import { catchUpProtocol } from '../../src/catch-up/wire.ts'
import { scoreOf } from '../../src/gossip/gossipsub-internals.ts'
import type { P2pHost } from '../../src/gossip/host.ts'
import { encodePayload } from '../../src/gossip/payload.ts'
import { graylistScore } from '../../src/gossip/peer-scoring.ts'
import { FloodingPeer } from '../../src/testing/index.ts'
import { patience } from '../testing/patience.ts'
import { newWallet, post } from '../testing/wallet.ts'
import { GossipNode } from './gossip-node.ts'
import { startLoopbackHost } from './loopback-host.ts'

const wallet = newWallet()
const topic = devnetProfile.topics.messages
const started: { stop(): void | Promise<void> }[] = []

afterEach(async () => {
  for (const part of started.splice(0).reverse()) await part.stop()
})

async function startNode(peers: string[] = []): Promise<GossipNode> {
  const node = await GossipNode.start({ peers })
  started.push(node)
  return node
}

/** Somebody who speaks gossip and may say anything. */
async function startHostile(target: GossipNode): Promise<P2pHost> {
  const host = await startLoopbackHost([topic, devnetProfile.topics.alive])
  started.push(host)
  host.services.pubsub.subscribe(topic)
  await host.dial(target.gossip.host.getMultiaddrs())
  await vi.waitFor(
    () => expect(host.services.pubsub.getSubscribers(topic).length).toBeGreaterThan(0),
    patience,
  )
  await sleep(500)
  return host
}

/** Sends until the other side hangs up. */
async function flood(host: P2pHost, payload: (index: number) => Uint8Array, count: number): Promise<void> {
  for (let index = 0; index < count && host.getPeers().length > 0; index++) {
    await host.services.pubsub.publish(topic, payload(index)).catch(() => {})
    if (index % 50 === 0) await sleep(5)
  }
}

async function expectShutOut(node: GossipNode, hostile: P2pHost): Promise<void> {
  const id = hostile.peerId.toString()
  await vi.waitFor(() => expect(node.gossip.host.getPeers().map(String)).not.toContain(id), patience)
  await expect(
    (async () => {
      const connection = await hostile.dial(node.gossip.host.getMultiaddrs())
      await connection.newStream('/ipfs/ping/1.0.0')
    })(),
  ).rejects.toThrow()
}

test('floods of 5,000 forged messages a second cost their senders the connection, while honest messages come through', async () => {
  const target = await startNode()
  const [address] = target.gossip.multiaddrs as [string]
  const honest = await startNode([address])
  const floods = [await FloodingPeer.create(10_000), await FloodingPeer.create(10_000)]
  started.push(...floods)
  await vi.waitFor(
    () => expect(honest.gossip.host.services.pubsub.getSubscribers(topic)).not.toEqual([]),
    patience,
  )
  global.gc?.()
  const memoryBefore = process.memoryUsage().rss
  const flooding = Promise.all(floods.map((peer) => peer.flood(address, 5_000)))
  const sent: Envelope[] = []
  for (let index = 0; index < 100; index++) {
    const message = post(wallet, `honest ${index}`)
    sent.push(message)
    honest.events.emit('accepted', [message])
    await sleep(20)
  }
  await vi.waitFor(
    () => expect(target.hashes.toSorted()).toEqual(sent.map((message) => message.item_hash).toSorted()),
    patience,
  )
  await flooding
  const { host } = target.gossip
  await vi.waitFor(
    () => expect(host.getPeers().map(String)).toEqual([honest.gossip.host.peerId.toString()]),
    patience,
  )
  for (const peer of floods) {
    expect(scoreOf(host.services.pubsub, peer.peerId)).toBeLessThan(graylistScore)
    expect(await peer.isWelcome(address)).toBe(false)
  }
  expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(200 * 2 ** 20)
}, 120_000)

test('a peer that sends garbage for messages is shut out', async () => {
  const target = await startNode()
  const hostile = await startHostile(target)
  await flood(hostile, () => Uint8Array.from(randomBytes(300)), 3_000)
  await expectShutOut(target, hostile)
  expect(target.hashes).toEqual([])
}, 120_000)

test('messages played again are taken once', async () => {
  const target = await startNode()
  const hostile = await startHostile(target)
  const genuine = post(wallet, 'genuine')
  for (let copy = 0; copy < 300; copy++) {
    const padded = JSON.stringify({ ...genuine, padding: copy })
    await hostile.services.pubsub.publish(topic, new TextEncoder().encode(padded)).catch(() => {})
  }
  const last = post(wallet, 'last')
  await hostile.services.pubsub.publish(topic, encodePayload(last))
  const hashes = [genuine.item_hash, last.item_hash].toSorted()
  await vi.waitFor(() => expect(target.hashes.toSorted()).toEqual(hashes), patience)
})

test('a gossip frame beyond what anybody may send ends that stream, and honest messages come through', async () => {
  const target = await startNode()
  const honest = await startNode(target.gossip.multiaddrs)
  const hostile = await startHostile(target)
  const stream = await hostile.dialProtocol(target.gossip.host.peerId, '/meshsub/1.1.0')
  // A length of four gigabytes, then bytes.
  stream.send(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x0f]))
  stream.send(new Uint8Array(100_000))
  const listensTo = () => target.gossip.host.services.pubsub.getPeers().map(String)
  await vi.waitFor(() => expect(listensTo()).not.toContain(hostile.peerId.toString()), patience)
  await vi.waitFor(
    () => expect(honest.gossip.host.services.pubsub.getSubscribers(topic)).not.toEqual([]),
    patience,
  )
  const message = post(wallet, 'honest')
  honest.events.emit('accepted', [message])
  await vi.waitFor(() => expect(target.hashes).toContain(message.item_hash), patience)
})

test('an announcement that is played again does not bring an old address back', async () => {
  const target = await startNode()
  const hostile = await startHostile(target)
  const { pubsub } = target.gossip.host.services
  const validate = pubsub.topicValidators.get(devnetProfile.topics.alive)!
  const from = hostile.peerId
  const announce = (time: number) =>
    validate(from, {
      type: 'signed',
      from,
      topic: devnetProfile.topics.alive,
      data: new TextEncoder().encode(
        JSON.stringify({ address: 'http://127.0.0.1:1', peer_type: 'HTTP', time }),
      ),
    } as never)
  const now = Date.now() / 1000
  expect(await announce(now)).toBe('accept')
  await sleep(1_100)
  expect(await announce(now - 1)).toBe('ignore')
  expect(await announce(now + 86_400)).toBe('ignore')
  expect(await announce(now + 1)).toBe('accept')
})

test('nonsense, endless lists and oversized frames on the reconciliation protocol end that stream only', async () => {
  const target = await startNode()
  const held = {
    set: async () => new MessageSet(),
    envelopes: async () => [],
    tombstones: async () => [],
    unknown: async () => [],
  }
  const inbox = { accept: async () => {}, pendingCount: 0 }
  const logger = pino({ level: 'silent' })
  const context = { inbox, logger, metrics: { registry: new Registry() } } as unknown as CatchUpContext
  const catchUp = new CatchUp({ context, host: target.gossip.host, held, periodMs: 60_000 })
  await catchUp.start()
  started.push(catchUp)
  const hostile = await startHostile(target)
  const frames = [
    Uint8Array.from([3, 0, 1, 2]),
    Uint8Array.from([2, 9, 9]),
    Uint8Array.from([0xff, 0xff, 0xff, 0x7f, 0]),
    new TextEncoder().encode('\u000a\u0001not json!'),
  ]
  for (const frame of frames) {
    const stream = await hostile.dialProtocol(target.gossip.host.peerId, catchUpProtocol)
    stream.send(frame)
    await vi.waitFor(() => expect(stream.status).not.toBe('open'), patience)
  }
  expect(hostile.getPeers()).toHaveLength(1)
})
