import type { Libp2p, PeerId, Stream } from '@libp2p/interface'
import type { CoreNodeContext } from '../context.ts'
import { type CursorStore, PostgresCursorStore } from './cursor-table.ts'
import { followLog } from './follow-log.ts'
import { type MessageLog, PostgresMessageLog } from './message-log.ts'
import { serveLog } from './serve-log.ts'
import { catchUpProtocol, FrameStream } from './wire.ts'

export type CatchUpContext = Pick<CoreNodeContext, 'logger' | 'inbox'>

export interface CatchUpOptions {
  context: CatchUpContext
  host: Libp2p
  log: MessageLog
  cursors: CursorStore
  /** Time between two rounds over all connected peers, ms. */
  periodMs?: number
}

const defaultPeriodMs = 10_000
const maxInboundStreams = 4

/**
 * Brings in what gossip did not: at every connection and every 10 s this node follows the log of each connected peer
 * that speaks {@link catchUpProtocol}, and takes in the messages it lacks through the inbox like any other door.
 */
export class CatchUp {
  readonly #options: CatchUpOptions
  readonly #stopped = new AbortController()
  readonly #following = new Map<string, Promise<boolean>>()
  readonly #firstRound = Promise.withResolvers<void>()
  #timer: NodeJS.Timeout | undefined
  #topology: string | undefined

  constructor(options: CatchUpOptions) {
    this.#options = options
  }

  static create(context: CatchUpContext & Pick<CoreNodeContext, 'pool'>, host: Libp2p): CatchUp {
    return new CatchUp({
      context,
      host,
      log: new PostgresMessageLog(context.pool),
      cursors: new PostgresCursorStore(context.pool),
    })
  }

  /** Serves our log and follows others'. The host must be started. */
  async start(): Promise<void> {
    const { host, periodMs = defaultPeriodMs } = this.#options
    await host.handle(catchUpProtocol, (stream) => this.#serve(stream), { maxInboundStreams })
    this.#topology = await host.register(catchUpProtocol, {
      onConnect: (peer) => void this.follow(peer),
    })
    this.#timer = setInterval(() => this.#round(), periodMs)
    this.#round()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopped.abort(new Error('this node is stopping'))
    this.#firstRound.resolve()
    if (this.#topology) this.#options.host.unregister(this.#topology)
    await this.#options.host.unhandle(catchUpProtocol)
    await Promise.all(this.#following.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Resolves when one peer's log was followed to its end for the first time, or the node stops. */
  get caughtUpOnce(): Promise<void> {
    return this.#firstRound.promise
  }

  /**
   * Follows one peer's log to its end now; joins a follow that is under way.
   *
   * @returns whether the end was reached
   */
  follow(peer: PeerId): Promise<boolean> {
    const id = peer.toString()
    const running = this.#following.get(id)
    if (running) return running
    const started = this.#follow(peer).finally(() => this.#following.delete(id))
    this.#following.set(id, started)
    return started
  }

  #round(): void {
    const peers = new Map(
      this.#options.host.getConnections().map(({ remotePeer }) => [`${remotePeer}`, remotePeer]),
    )
    for (const peer of peers.values()) void this.#followIfAble(peer)
  }

  async #followIfAble(peer: PeerId): Promise<void> {
    try {
      const { protocols } = await this.#options.host.peerStore.get(peer)
      if (protocols.includes(catchUpProtocol)) await this.follow(peer)
    } catch (error) {
      this.#options.context.logger.debug(
        { err: error, peer: peer.toString() },
        'peer left before catching up',
      )
    }
  }

  async #follow(peer: PeerId): Promise<boolean> {
    const { host, log, cursors, context } = this.#options
    const peerId = peer.toString()
    let frames: FrameStream | undefined
    try {
      const stream = await host.dialProtocol(peer, catchUpProtocol, { signal: this.#stopped.signal })
      frames = new FrameStream(stream, this.#stopped.signal)
      const accept = async (message: unknown) => {
        await context.inbox.accept(message, { door: 'catch-up', peer: peerId })
      }
      const taken = await followLog({ peerId, frames, log, cursors, accept })
      if (taken > 0) context.logger.info({ peer: peerId, messages: taken }, 'caught up')
      await frames.close()
      this.#firstRound.resolve()
      return true
    } catch (error) {
      frames?.abort(error as Error)
      if (!this.#stopped.signal.aborted) {
        context.logger.info({ peer: peerId, reason: (error as Error).message }, 'catching up was interrupted')
      }
      return false
    }
  }

  async #serve(stream: Stream): Promise<void> {
    const frames = new FrameStream(stream, this.#stopped.signal)
    try {
      await serveLog(frames, this.#options.log)
      await frames.close()
    } catch (error) {
      // The follower closing its end after the last answer is the ordinary end.
      frames.abort(error as Error)
      this.#options.context.logger.trace({ reason: (error as Error).message }, 'catch-up stream ended')
    }
  }
}
