import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { devnetProfile } from '@aleph-ts/protocol'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { RPC } from '@libp2p/gossipsub/message'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { encode } from 'it-length-prefixed'
import { createLibp2p } from 'libp2p'
import { encodePayload, maxMessagesPerFrame } from '../gossip/payload.ts'

const { topics } = devnetProfile
const signedPrefix = Buffer.from('libp2p-pubsub:')

/**
 * A stranger who sends well-formed messages with signatures of nobody, as fast as it is told to. Everything is made
 * before it begins, so that flooding itself costs little.
 */
export class FloodingPeer {
  readonly #host: Libp2p<{ identify: Identify }>
  #frames: Uint8Array[]

  private constructor(host: Libp2p<{ identify: Identify }>, frames: Uint8Array[]) {
    this.#host = host
    this.#frames = frames
  }

  /** Prepares a peer with so many forged messages; it dials nobody yet. */
  static async create(messages: number): Promise<FloodingPeer> {
    const privateKey = await generateKeyPair('Ed25519')
    const host = await createLibp2p({
      privateKey,
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify() },
    })
    const frames: Uint8Array[] = []
    for (let made = 0; made < messages; made += maxMessagesPerFrame) {
      const count = Math.min(maxMessagesPerFrame, messages - made)
      frames.push(await forgedFrame(privateKey, count))
    }
    return new FloodingPeer(host, frames)
  }

  get peerId(): string {
    return this.#host.peerId.toString()
  }

  /**
   * Sends at a rate until the other side hangs up or nothing is left.
   *
   * @returns how many messages were sent
   */
  async flood(target: string, perSecond: number): Promise<number> {
    const stream = await this.#host.dialProtocol(multiaddr(target), '/meshsub/1.1.0')
    const started = performance.now()
    let sent = 0
    for (const frame of this.#frames.splice(0)) {
      if (stream.status !== 'open') return sent
      if (!stream.send(frame)) await Promise.race([stream.onDrain().catch(() => {}), sleep(1_000)])
      sent += maxMessagesPerFrame
      await sleep(Math.max(0, started + (sent / perSecond) * 1_000 - performance.now()))
    }
    return sent
  }

  /** Whether the other side lets this peer back in and answers it. */
  async isWelcome(target: string): Promise<boolean> {
    try {
      await this.#host.dialProtocol(multiaddr(target), '/ipfs/ping/1.0.0')
      return true
    } catch {
      return false
    }
  }

  async stop(): Promise<void> {
    await this.#host.stop()
  }
}

async function forgedFrame(privateKey: PrivateKey, count: number): Promise<Uint8Array> {
  const messages = await Promise.all(Array.from({ length: count }, () => forgedMessage(privateKey)))
  return encode.single(RPC.encode({ subscriptions: [], messages })).subarray()
}

/** In order as far as gossip goes: its publisher signed it. The message in it is signed by nobody. */
async function forgedMessage(privateKey: PrivateKey): Promise<RPC.Message> {
  const message = {
    from: peerIdFromPrivateKey(privateKey).toMultihash().bytes,
    data: forgedPayload(),
    seqno: randomBytes(8),
    topic: topics.messages,
  }
  const signature = await privateKey.sign(Buffer.concat([signedPrefix, RPC.Message.encode(message)]))
  return { ...message, signature }
}

function forgedPayload(): Uint8Array {
  const sender = `0x${randomBytes(20).toString('hex')}`
  const time = Date.now() / 1000
  const content = {
    address: sender,
    time,
    type: 'flood',
    content: { text: randomBytes(200).toString('hex') },
  }
  const item_content = JSON.stringify(content)
  return encodePayload({
    chain: 'ETH',
    sender,
    type: 'POST',
    item_type: 'inline',
    item_content,
    item_hash: createHash('sha256').update(item_content).digest('hex'),
    time,
    channel: 'flood',
    signature: `0x${randomBytes(64).toString('hex')}1b`,
  })
}
