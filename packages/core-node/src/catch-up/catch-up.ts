import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import type { CoreNodeContext } from '../context.ts'
import { PeerBuckets } from '../rate-limit/peer-buckets.ts'
import { CatchUpMetrics } from './catch-up-metrics.ts'
import type { ErasedMessages } from './erased-messages.ts'
import { type HeldMessages, PostgresHeldMessages } from './held-messages.ts'
import { pullMessages } from './pull.ts'
import { RecentlyAsked } from './recently-asked.ts'
import { serveMessages } from './serve.ts'
import {
  CatchUpProtocolError,
  catchUpProtocol,
  FrameStream,
  maxFrameBytes,
  maxRequestBytes,
  tombstoneSchema,
} from './wire.ts'

export type CatchUpContext = Pick<CoreNodeContext, 'logger' | 'inbox' | 'metrics'>

export interface CatchUpOptions {
  context: CatchUpContext
  host: Libp2p
  held: HeldMessages
  /** Without it forgotten messages that nobody holds any more stay unknown here. */
  erased?: ErasedMessages
  /** Time between two rounds, ms. */
  periodMs?: number
}

const defaultPeriodMs = 30_000
/** Peers compared with in one round, chosen anew each time; differences spread from there. */
const peersPerRound = 3
/** A stream for each of a few sessions of one peer; a connection has so many at most. */
const maxInboundStreams = 4
/** Bytes each peer may be sent at once, and per second after that. */
const servedBytes = { capacity: 64 * 1024 * 1024, perSecond: 8 * 1024 * 1024 }
/** A message that a peer offered and we could not use is asked of that peer again after this long, ms. */
const pauseMs = 10 * 60_000
const rememberedQuestions = 100_000
/** Messages waiting to be processed above which no more are fetched. */
const enoughPending = 20_000
const lookMs = 100
const openMs = 15_000
/** A session that takes longer is begun anew, with sets that differ less, ms. */
const sessionMs = 10 * 60_000

/**
 * Brings in what gossip did not: at every connection and every half minute this node compares its messages with those
 * of a peer that speaks {@link catchUpProtocol}, and takes in what it lacks through the inbox like any other door.
 */
export class CatchUp {
  readonly #options: CatchUpOptions
  readonly #stopped = new AbortController()
  readonly #pulling = new Map<string, Promise<boolean>>()
  readonly #serving = new Set<Promise<void>>()
  readonly #firstRound = Promise.withResolvers<void>()
  readonly #asked = new RecentlyAsked({ pauseMs, size: rememberedQuestions })
  readonly #metrics: CatchUpMetrics
  readonly #served = new PeerBuckets(servedBytes)
  #timer: NodeJS.Timeout | undefined
  #topology: string | undefined
  #rounding: Promise<void> | undefined

  constructor(options: CatchUpOptions) {
    this.#options = options
    this.#metrics = new CatchUpMetrics(options.context.metrics.registry)
  }

  static create(
    context: CatchUpContext & Pick<CoreNodeContext, 'pool'>,
    host: Libp2p,
    options: Pick<CatchUpOptions, 'erased' | 'periodMs'> = {},
  ): CatchUp {
    return new CatchUp({ context, host, held: new PostgresHeldMessages(context.pool), ...options })
  }

  /** Answers others and asks them. The host must be started. */
  async start(): Promise<void> {
    const { host, periodMs = defaultPeriodMs } = this.#options
    await host.handle(catchUpProtocol, (stream, connection) => this.#serve(stream, connection), {
      maxInboundStreams,
    })
    this.#topology = await host.register(catchUpProtocol, {
      onConnect: (peer) => void this.pull(peer),
    })
    this.#timer = setInterval(() => this.#startRound(), periodMs)
    this.#startRound()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopped.abort(new Error('this node is stopping'))
    this.#firstRound.resolve()
    if (this.#topology) this.#options.host.unregister(this.#topology)
    await this.#options.host.unhandle(catchUpProtocol)
    await Promise.all([this.#rounding, ...this.#pulling.values(), ...this.#serving])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Resolves when the messages of one peer were compared to the end for the first time, or the node stops. */
  get caughtUpOnce(): Promise<void> {
    return this.#firstRound.promise
  }

  /**
   * Compares with one peer now and takes in what we lack; joins a comparison that is under way.
   *
   * @returns whether it came to its end
   */
  pull(peer: PeerId): Promise<boolean> {
    const id = peer.toString()
    const running = this.#pulling.get(id)
    if (running) return running
    const started = this.#pull(peer).finally(() => this.#pulling.delete(id))
    this.#pulling.set(id, started)
    return started
  }

  #startRound(): void {
    this.#rounding ??= this.#round()
      .catch((error: unknown) => {
        this.#options.context.logger.warn({ err: error }, 'could not compare messages with peers')
      })
      .finally(() => {
        this.#rounding = undefined
      })
  }

  async #round(): Promise<void> {
    // Also without peers, so that noted changes do not pile up.
    await this.#options.held.set()
    const able = await this.#ablePeers()
    for (let left = Math.min(peersPerRound, able.length); left > 0; left--) {
      const [peer] = able.splice(Math.floor(Math.random() * able.length), 1)
      void this.pull(peer!)
    }
  }

  /** Connected peers that speak our protocol. */
  async #ablePeers(): Promise<PeerId[]> {
    const { host, context } = this.#options
    const able = await Promise.all(
      host.getPeers().map(async (peer) => {
        try {
          const { protocols } = await host.peerStore.get(peer)
          return protocols.includes(catchUpProtocol) ? [peer] : []
        } catch (error) {
          context.logger.debug({ err: error, peer: peer.toString() }, 'peer left before catching up')
          return []
        }
      }),
    )
    return able.flat()
  }

  async #pull(peer: PeerId): Promise<boolean> {
    const { host, held, context } = this.#options
    const peerId = peer.toString()
    let frames: FrameStream | undefined
    try {
      const opening = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(openMs)])
      const stream = await host.dialProtocol(peer, catchUpProtocol, { signal: opening })
      const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(sessionMs)])
      frames = new FrameStream(stream, { signal, maxBytes: maxFrameBytes })
      const accept = async (message: unknown) => {
        await context.inbox.accept(message, { door: 'catch-up', peer: peerId })
      }
      const room = () => this.#room()
      const acceptErased = (tombstones: unknown[]) => this.#acceptErased(peerId, tombstones)
      const asked = this.#asked
      const result = await pullMessages({ peerId, frames, held, asked, accept, acceptErased, room })
      this.#metrics.completed(result)
      if (result.taken > 0) context.logger.info({ peer: peerId, ...result }, 'caught up')
      await frames.close()
      if (result.busy === 0) this.#firstRound.resolve()
      return true
    } catch (error) {
      frames?.abort(error as Error)
      this.#metrics.interrupted()
      if (!this.#stopped.signal.aborted) {
        context.logger.info({ peer: peerId, reason: (error as Error).message }, 'catching up was interrupted')
      }
      return false
    }
  }

  async #acceptErased(peerId: string, given: unknown[]): Promise<void> {
    const { erased, context } = this.#options
    const tombstones = given.map((value) => {
      const parsed = tombstoneSchema.safeParse(value)
      if (parsed.success) return parsed.data
      throw new CatchUpProtocolError(`unexpected tombstone: ${parsed.error.message}`)
    })
    if (erased?.isTrusted(peerId)) await erased.take(tombstones)
    else context.logger.debug({ peer: peerId }, 'what a stranger says of erased messages is not taken')
  }

  async #room(): Promise<void> {
    const { inbox } = this.#options.context
    while (inbox.pendingCount > enoughPending) {
      await sleep(lookMs, undefined, { signal: this.#stopped.signal })
    }
  }

  #serve(stream: Stream, connection: Connection): void {
    const served = this.#answer(stream, connection).finally(() => this.#serving.delete(served))
    this.#serving.add(served)
  }

  async #answer(stream: Stream, connection: Connection): Promise<void> {
    const { signal } = this.#stopped
    const frames = new FrameStream(stream, { signal, maxBytes: maxRequestBytes })
    try {
      await serveMessages(
        frames,
        this.#options.held,
        this.#served.of(connection.remotePeer.toString()),
        signal,
      )
      await frames.close()
    } catch (error) {
      // The asker closing its end after the last answer is the ordinary end.
      frames.abort(error as Error)
      this.#options.context.logger.trace({ reason: (error as Error).message }, 'catch-up stream ended')
    }
  }
}
