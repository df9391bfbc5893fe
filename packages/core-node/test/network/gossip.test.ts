import { randomBytes } from 'node:crypto'
import { devnetProfile } from '@aleph-ts/protocol'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { RPC } from '@libp2p/gossipsub/message'
import type { Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { encode } from 'it-length-prefixed'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test, vi } from 'vitest'
import { hasOutboundStream, scoreOf } from '../../src/gossip/gossipsub-internals.ts'
import { encodePayload } from '../../src/gossip/payload.ts'
import { patience } from '../testing/patience.ts'
import { newWallet, post } from '../testing/wallet.ts'
import { GossipNode } from './gossip-node.ts'

const wallet = newWallet()
const topic = devnetProfile.topics.messages
const nodes: GossipNode[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()))
})

async function startNode(options?: Parameters<typeof GossipNode.start>[0]): Promise<GossipNode> {
  const node = await GossipNode.start(options)
  nodes.push(node)
  return node
}

/** Nodes in a row, each connected only to the one before; whatever is said in it is heard. */
async function startLine(length: number): Promise<GossipNode[]> {
  const line = [await startNode()]
  while (line.length < length) line.push(await startNode({ peers: line.at(-1)!.gossip.multiaddrs }))
  await vi.waitFor(() => {
    for (const [index, node] of line.entries()) {
      const neighbours = index === 0 || index === length - 1 ? 1 : 2
      const { pubsub } = node.gossip.host.services
      const listeners = pubsub.getSubscribers(topic).filter((peer) => hasOutboundStream(pubsub, peer))
      expect(listeners).toHaveLength(neighbours)
    }
  }, patience)
  return line
}

/** Somebody who may write anything into a gossip stream. */
function startLiar(): Promise<Libp2p> {
  return createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
}

test('a message accepted by one node reaches every other node once, already verified', async () => {
  const [first, second, third] = await startLine(3)
  const message = post(wallet, 'hello')
  first!.events.emit('accepted', [message])
  await vi.waitFor(() => expect(third!.hashes).toEqual([message.item_hash]), patience)
  expect(second!.hashes).toEqual([message.item_hash])
  expect(third!.received[0]!.envelope).toEqual(message)
  expect(third!.received[0]!.origin).toMatchObject({ door: 'gossip', verified: true })
  expect(first!.received).toEqual([])
  await vi.waitFor(() => expect(first!.announced).toEqual([message.item_hash]), patience)
})

test('a message with a forged signature, a wrong hash or no JSON at all is not forwarded', async () => {
  const [first, second, third] = await startLine(3)
  const { pubsub } = first!.gossip.host.services
  const genuine = post(wallet, 'genuine')
  const forged = { ...post(newWallet(), 'forged'), sender: wallet.address }
  const altered = { ...genuine, item_content: genuine.item_content!.replace('genuine', 'altered') }
  await pubsub.publish(topic, encodePayload(forged))
  await pubsub.publish(topic, encodePayload(altered))
  await pubsub.publish(topic, new TextEncoder().encode('{"item_hash":'))
  await pubsub.publish(topic, encodePayload(genuine))
  await vi.waitFor(() => expect(third!.hashes).toEqual([genuine.item_hash]), patience)
  expect(second!.hashes).toEqual([genuine.item_hash])
})

test('a message that comes with a false signature of its publisher is spread nevertheless, in order for everybody', async () => {
  const [first, second, third] = await startLine(3)
  const liar = await startLiar()
  const message = post(wallet, 'true')
  try {
    const stream = await liar.dialProtocol(first!.gossip.host.getMultiaddrs(), '/meshsub/1.1.0')
    const lie = {
      from: liar.peerId.toMultihash().bytes,
      data: encodePayload(message),
      seqno: randomBytes(8),
      topic,
      signature: randomBytes(64),
    }
    stream.send(encode.single(RPC.encode({ subscriptions: [], messages: [lie] })))
    await vi.waitFor(() => expect(third!.hashes).toEqual([message.item_hash]), patience)
    expect(second!.received[0]!.origin.peer).toBe(first!.gossip.host.peerId.toString())
    const { pubsub } = first!.gossip.host.services
    await vi.waitFor(() => expect(scoreOf(pubsub, liar.peerId.toString())).toBeLessThan(0), patience)
    expect(
      scoreOf(second!.gossip.host.services.pubsub, first!.gossip.host.peerId.toString()),
    ).toBeGreaterThan(0)
  } finally {
    await liar.stop()
  }
})

test('the same message written as other bytes is not spread a second time', async () => {
  const [first, second, third] = await startLine(3)
  const { pubsub } = first!.gossip.host.services
  const [message, marker] = [post(wallet, 'once'), post(wallet, 'marker')]
  await pubsub.publish(topic, encodePayload(message))
  await pubsub.publish(topic, new TextEncoder().encode(JSON.stringify({ padding: 1, ...message })))
  await pubsub.publish(topic, encodePayload(marker))
  await vi.waitFor(() => expect(third!.hashes).toContain(marker.item_hash), patience)
  expect(second!.hashes).toEqual([message.item_hash, marker.item_hash])
})

test('messages accepted while a node is alone, or announced by no earlier run, reach the first peer', async () => {
  const [left, fresh] = [post(wallet, 'left over'), post(wallet, 'fresh')]
  const lonely = await startNode({ unannounced: [left] })
  lonely.events.emit('accepted', [fresh])
  expect(lonely.announced).toEqual([])
  const peer = await startNode({ peers: lonely.gossip.multiaddrs })
  await vi.waitFor(
    () => expect(peer.hashes.toSorted()).toEqual([left.item_hash, fresh.item_hash].toSorted()),
    patience,
  )
  await vi.waitFor(() => expect(lonely.announced).toHaveLength(2), patience)
})

test('a node that was restarted is found again by its peers', async () => {
  const first = await startNode()
  const second = await startNode({ peers: first.gossip.multiaddrs })
  await vi.waitFor(() => expect(second.gossip.host.getPeers()).toHaveLength(1), patience)
  await second.gossip.host.hangUp(first.gossip.host.peerId)
  const message = post(wallet, 'after reconnecting')
  await vi.waitFor(
    () => expect(second.gossip.host.services.pubsub.getSubscribers(topic)).toHaveLength(1),
    patience,
  )
  first.events.emit('accepted', [message])
  await vi.waitFor(() => expect(second.hashes).toEqual([message.item_hash]), patience)
})

test('nodes learn from announcements where the peers they trust answer', async () => {
  const [first, second] = await startLine(2)
  const firstId = first!.gossip.host.peerId.toString()
  await vi.waitFor(
    () =>
      expect(second!.savedPeers).toEqual(
        expect.arrayContaining([
          [firstId, 'HTTP', 'http://127.0.0.1:4024', []],
          [firstId, 'P2P', first!.gossip.multiaddrs[0], []],
        ]),
      ),
    // One announcement may be lost; they are repeated.
    patience,
  )
  // The first node was not told to trust the second.
  expect(first!.savedPeers).toEqual([])
})

test('a node behind a name or another network announces where it is found from outside', async () => {
  const addresses = ['/dns4/node.example/tcp/4025', '/ip6/2a00::7/tcp/4025']
  const first = await startNode({ announced: addresses, publicUrl: 'https://node.example' })
  const id = first.gossip.host.peerId.toString()
  const [name, ip] = addresses.map((address) => `${address}/p2p/${id}`)
  expect(first.gossip.multiaddrs).toEqual([name, ip])
  // The second node trusts the first one, which nobody finds by its name here.
  const second = await startNode({ peers: [name!] })
  await first.gossip.host.dial(second.gossip.host.getMultiaddrs())
  await vi.waitFor(
    () =>
      expect(second.savedPeers).toEqual(
        expect.arrayContaining([
          [id, 'HTTP', 'https://node.example', []],
          [id, 'P2P', name, [ip]],
          [id, 'IPFS', name, [ip]],
        ]),
      ),
    patience,
  )
  await expect(startNode({ announced: ['node.example:4025'] })).rejects.toThrow('ALEPH_CORE_P2P_ANNOUNCED')
})

test('peers that were heard of are dialed at any of their addresses, and so are the IPFS nodes beside them', async () => {
  const [peer, ipfs, stranger] = [await startNode(), await startNode(), await startNode()]
  const idOf = ({ gossip }: GossipNode) => gossip.host.peerId.toString()
  const row = (peer_type: string, peer_id: string, address: string) => ({ peer_id, peer_type, address })
  const node = await startNode({
    known: [
      row('P2P', idOf(peer), `/ip4/127.0.0.1/tcp/1/p2p/${idOf(peer)}`),
      row('P2P', idOf(peer), peer.gossip.multiaddrs[0]!),
      row('P2P', idOf(peer), stranger.gossip.multiaddrs[0]!),
      row('IPFS', idOf(peer), ipfs.gossip.multiaddrs[0]!),
    ],
  })
  const connected = () => node.gossip.host.getPeers().map(String).sort()
  await vi.waitFor(() => expect(connected()).toEqual([idOf(peer), idOf(ipfs)].sort()), patience)
})

test('a node that knows nobody finds the registered core nodes; one for members only turns all others away', async () => {
  const first = await startNode()
  const [address] = first.gossip.multiaddrs as [string]
  const second = await startNode({ registered: [address, '/ip4/127.0.0.1/tcp/1', 'nonsense'] })
  const peersOf = ({ gossip }: GossipNode) => gossip.host.getPeers().map(String)
  await vi.waitFor(() => expect(peersOf(second)).toEqual([first.gossip.host.peerId.toString()]), patience)
  const closed = await startNode({ registered: second.gossip.multiaddrs, membersOnly: true })
  await vi.waitFor(() => expect(peersOf(closed)).toEqual([second.gossip.host.peerId.toString()]), patience)
  const dial = async () => {
    const connection = await first.gossip.host.dial(closed.gossip.host.getMultiaddrs())
    await connection.newStream('/ipfs/ping/1.0.0')
  }
  await expect(dial()).rejects.toThrow()
  expect(peersOf(closed)).toEqual([second.gossip.host.peerId.toString()])
})

test('a peer that never says which protocols it speaks is offered gossip', async () => {
  const node = await startNode()
  const streams: Stream[] = []
  const silent = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  try {
    await silent.handle('/meshsub/1.1.0', (stream) => void streams.push(stream))
    await silent.dial(node.gossip.host.getMultiaddrs())
    await vi.waitFor(() => expect(streams).toHaveLength(1), patience)
  } finally {
    await silent.stop()
  }
})

test('a setting that is no peer address is named when the node is created', async () => {
  await expect(startNode({ peers: ['/ip4/127.0.0.1/tcp/4025'] })).rejects.toThrow('ALEPH_CORE_P2P_PEERS')
})
