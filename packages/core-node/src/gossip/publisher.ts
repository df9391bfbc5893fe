import type { Envelope } from '@aleph-ts/protocol'
import type { GossipSub } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import type { Logger } from 'pino'
import type { Inbox } from '../inbox/inbox.ts'
import type { GossipMetrics } from './gossip-metrics.ts'
import { hasOutboundStream } from './gossipsub-internals.ts'
import type { MessageJudge } from './message-judge.ts'
import { Paced } from './paced.ts'
import { encodePayload, gossipForm, maxPayloadBytes } from './payload.ts'

export interface PublisherOptions {
  pubsub: GossipSub
  topic: string
  inbox: Pick<Inbox, 'unannounced' | 'markAnnounced'>
  judge: MessageJudge
  metrics: Pick<GossipMetrics, 'published'>
  logger: Logger
}

/** Messages kept for the first peer to come, when there is none; more than these reach others by catch-up. */
const maxHeld = 10_000
/** What was published is noted in the database so long after, together, ms. */
const noteAfterMs = 1_000
/** Time between looks for an open stream to somebody who listens, ms. */
const streamPatienceMs = 100
/** Messages leave so far apart, ms: those of a steady stream share frames. */
const pauseMs = 20

/**
 * Spreads messages that came in through our own API, each as one gossip message (protocol 04 §3.1), and notes in the
 * database that it did, so that a crash between acknowledgement and gossip loses nothing.
 */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #sendSoon = new Paced(() => this.flush(), pauseMs)
  #waiting: Envelope[] = []
  #running: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  /** Published and not noted yet. */
  #announced: string[] = []
  #note: NodeJS.Timeout | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** Queues messages; they leave soon, in order. Without any listening peer they wait for {@link flush}. */
  publish(envelopes: Envelope[]): void {
    for (const envelope of envelopes) this.#options.judge.remember(envelope)
    this.#waiting.push(...envelopes)
    const excess = this.#waiting.length - maxHeld
    if (excess > 0 && !this.#canSend()) this.#waiting.splice(0, excess)
    this.#sendSoon.ask()
  }

  /** Sends what waits, when somebody listens. */
  flush(): void {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined
      // Somebody listens whose stream is about to open.
      if (this.#waiting.length > 0 && this.#listeners().length > 0) {
        clearTimeout(this.#retry)
        this.#retry = setTimeout(() => this.flush(), streamPatienceMs)
      }
    })
  }

  /** Queues again what an earlier run acknowledged but did not announce. */
  async resume(): Promise<void> {
    const envelopes = await this.#options.inbox.unannounced(maxHeld)
    if (envelopes.length === 0) return
    this.#options.logger.info({ messages: envelopes.length }, 'announcing messages of an earlier run')
    this.publish(envelopes)
  }

  /** Stops sending; what waits stays noted in the database as unannounced. */
  async stop(): Promise<void> {
    this.#waiting = []
    this.#sendSoon.stop()
    await this.#running
    clearTimeout(this.#retry)
    clearTimeout(this.#note)
    await this.#noteAnnounced()
  }

  async #drain(): Promise<void> {
    while (this.#canSend()) {
      const envelope = this.#waiting.shift()
      if (!envelope) return
      await this.#send(envelope)
      this.#announced.push(envelope.item_hash)
      this.#note ??= setTimeout(() => this.#noteAnnounced(), noteAfterMs)
    }
  }

  async #send(envelope: Envelope): Promise<void> {
    const payload = encodePayload(gossipForm(envelope))
    if (payload.length > maxPayloadBytes) {
      this.#options.logger.warn({ hash: envelope.item_hash, bytes: payload.length }, 'too large for gossip')
      return
    }
    try {
      await this.#options.pubsub.publish(this.#options.topic, payload)
      this.#options.metrics.published()
    } catch (error) {
      this.#options.logger.warn({ err: error, hash: envelope.item_hash }, 'gossip failed; peers catch up')
    }
  }

  async #noteAnnounced(): Promise<void> {
    this.#note = undefined
    if (this.#announced.length === 0) return
    try {
      await this.#options.inbox.markAnnounced(this.#announced.splice(0))
    } catch (error) {
      // Announcing once more after a restart is harmless.
      this.#options.logger.warn({ err: error }, 'could not note announced messages')
    }
  }

  #canSend(): boolean {
    return this.#listeners().some((peer) => hasOutboundStream(this.#options.pubsub, peer))
  }

  #listeners(): PeerId[] {
    return this.#options.pubsub.getSubscribers(this.#options.topic)
  }
}
