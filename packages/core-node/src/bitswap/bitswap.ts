import { setTimeout as sleep } from 'node:timers/promises'
import type { Block, Cid } from '@aleph-ts/protocol'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { PeerReputation } from '../content/peer-reputation.ts'
import { PeerBuckets } from '../rate-limit/peer-buckets.ts'
import { BitswapMetrics } from './bitswap-metrics.ts'
import type { BlockCatalogue } from './block-catalogue.ts'
import { BlockServer } from './block-server.ts'
import {
  type BitswapMessage,
  bitswapProtocol,
  blockKey,
  decodeMessage,
  emptyMessage,
  keyOfSent,
  knownCid,
  maxMessageBytes,
  type SentBlock,
  type WantEntry,
} from './message.ts'
import { Outbox } from './outbox.ts'
import { Session, type SessionOptions } from './session.ts'

/** Peers that one fetch asks. */
const maxPeersAsked = 16
/** Streams on which one peer may talk to us at once: some open one for each message. */
const maxInboundStreams = 16
/** What a stream may hold that is not read yet, bytes: a message and the beginning of the next. */
const maxUnreadBytes = maxMessageBytes + 1024 * 1024
/** Messages and wants of a peer that are read at once, and per second after that. */
const saidByPeer = { capacity: 20_000, perSecond: 4_000 }

/** Blocks may come so long after nobody waits for them any more, ms. */
const lateMs = 30_000

export interface BitswapOptions {
  host: Libp2p
  catalogue: BlockCatalogue
  logger: Logger
  metrics: Registry
  /** Patience with peers, for tests. */
  patience?: Pick<SessionOptions, 'searchMs' | 'stallMs'>
}

/**
 * Exchanges blocks with IPFS nodes, on this node's own host: gives any block of a stored file to whoever asks, and
 * fetches whole DAGs from connected peers (the Bitswap protocol 1.2.0 of specs.ipfs.tech, protocol 04 §9).
 */
export class Bitswap {
  readonly #options: BitswapOptions
  readonly #stopped = new AbortController()
  readonly #server: BlockServer
  readonly #sessions = new Set<Session>()
  readonly #outboxes = new Map<string, Outbox>()
  readonly #reputation = new PeerReputation()
  readonly #said = new PeerBuckets(saidByPeer)
  readonly #metrics: BitswapMetrics

  constructor(options: BitswapOptions) {
    this.#options = options
    this.#metrics = new BitswapMetrics(options.metrics)
    this.#server = new BlockServer({
      catalogue: options.catalogue,
      send: (peer, message) => this.#send(peer, message),
      onSent: (bytes) => this.#metrics.sent(bytes),
      onFailure: (peer, error) => this.#noteFailure(peer, error),
      signal: this.#stopped.signal,
    })
  }

  /** The host must be started. */
  async start(): Promise<void> {
    const { host, catalogue } = this.#options
    await host.handle(bitswapProtocol, (stream, connection) => this.#listen(stream, connection), {
      maxInboundStreams,
    })
    host.addEventListener('peer:disconnect', this.#onDisconnect)
    catalogue.onEntered = (keys) => this.#server.onBlocks(keys)
    catalogue.start()
  }

  async stop(): Promise<void> {
    const { host, catalogue } = this.#options
    this.#stopped.abort(new Error('this node is stopping'))
    host.removeEventListener('peer:disconnect', this.#onDisconnect)
    await host.unhandle(bitswapProtocol)
    await this.#server.stop()
    for (const outbox of this.#outboxes.values()) outbox.close()
    await catalogue.stop()
  }

  /**
   * The blocks of a DAG from connected peers, the root first, each verified against its CID.
   *
   * @throws {ContentAddressError} `missing_block` when no connected peer has one of them; `invalid_dag`, `too_large`
   */
  async *fetch(root: Cid, signal: AbortSignal): AsyncGenerator<Block, void> {
    const session = new Session({
      root,
      peers: await this.#ablePeers(),
      want: (peer, wants) => this.#want(peer, wants),
      onStall: (peer) => this.#reputation.failed(peer),
      signal: AbortSignal.any([signal, this.#stopped.signal]),
      ...this.#options.patience,
    })
    this.#sessions.add(session)
    try {
      yield* session.blocks()
    } finally {
      // What was on its way when the session ended is no lie.
      setTimeout(() => this.#sessions.delete(session), lateMs).unref()
    }
  }

  /** Connected peers that speak bitswap, the most reliable first. */
  async #ablePeers(): Promise<string[]> {
    const { host } = this.#options
    const able = await Promise.all(
      host.getPeers().map(async (peer) => {
        if (!(await host.peerStore.has(peer))) return []
        const { protocols } = await host.peerStore.get(peer)
        return protocols.includes(bitswapProtocol) ? [peer.toString()] : []
      }),
    )
    return this.#reputation.rank(able.flat()).slice(0, maxPeersAsked)
  }

  async #listen(stream: Stream, connection: Connection): Promise<void> {
    const peer = connection.remotePeer.toString()
    const { signal } = this.#stopped
    const frames = lpStream(stream, { maxDataLength: maxMessageBytes, maxBufferSize: maxUnreadBytes })
    try {
      while (stream.readStatus === 'readable' || stream.readBufferLength > 0) {
        const message = decodeMessage((await frames.read({ signal })).subarray())
        // Who sends faster than it is read loses the stream.
        const waitMs = this.#said.of(peer).borrow(1 + message.wants.length)
        if (waitMs > 0) await sleep(waitMs, undefined, { signal })
        this.#take(peer, message)
      }
    } catch (error) {
      if ((error as Error).name !== 'UnexpectedEOFError') this.#noteFailure(peer, error as Error)
      stream.abort(error as Error)
    }
  }

  #take(peer: string, message: BitswapMessage): void {
    for (const { cid, has } of message.presences) {
      const known = knownCid(cid)
      if (known) for (const session of this.#sessions) session.onPresence(peer, blockKey(known), has)
    }
    for (const block of message.blocks) this.#takeBlock(peer, block)
    this.#server.take(peer, message)
  }

  #takeBlock(peer: string, block: SentBlock): void {
    if (this.#sessions.size === 0) return
    const key = keyOfSent(block)
    let isAsked = false
    for (const session of this.#sessions) {
      if (key !== undefined && session.onBlock(peer, key, block.bytes)) isAsked = true
    }
    if (isAsked) {
      this.#metrics.received(block.bytes.length)
      return
    }
    // Wrong bytes for a block are the right ones for a block that nobody wants.
    this.#metrics.refused()
    this.#reputation.lied(peer)
    for (const session of this.#sessions) session.drop(peer)
  }

  #want(peer: string, wants: WantEntry[]): void {
    this.#send(peer, { ...emptyMessage(), wants }).catch((error: Error) => {
      this.#noteFailure(peer, error)
      for (const session of this.#sessions) session.drop(peer)
    })
  }

  #send(peer: string, message: BitswapMessage): Promise<void> {
    const { host } = this.#options
    let outbox = this.#outboxes.get(peer)
    if (!outbox) {
      const peerId = host.getPeers().find((connected) => connected.toString() === peer)
      if (!peerId) return Promise.reject(new Error('the peer is not connected'))
      outbox = new Outbox(host, peerId, this.#stopped.signal)
      this.#outboxes.set(peer, outbox)
    }
    return outbox.send(message)
  }

  readonly #onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    const peer = detail.toString()
    this.#outboxes.get(peer)?.close()
    this.#outboxes.delete(peer)
    this.#server.forget(peer)
    for (const session of this.#sessions) session.drop(peer)
  }

  #noteFailure(peer: string, error: Error): void {
    if (this.#stopped.signal.aborted) return
    this.#options.logger.debug({ peer, reason: error.message }, 'exchange of blocks failed with a peer')
  }
}
