import { type GossipSub, TopicValidatorResult } from '@libp2p/gossipsub'
import type { Logger } from 'pino'
import {
  type Announcement,
  encodeAnnouncement,
  maxAnnouncementBytes,
  parseAnnouncement,
} from './announcement.ts'
import { decodePayload } from './payload.ts'
import type { PeerTable } from './peer-table.ts'

const periodMs = 120_000
const firstAfterMs = 2_000
/** A newcomer should not wait two minutes to learn about us; many newcomers should not make us noisy, ms. */
const repeatAfterMs = 5_000
/** One peer's announcements of one type closer together than this are not spread, ms. */
const minimumGapMs = 1_000
const maxStrangers = 512
/** Clocks of nodes may differ by so much; what is said to be older was recorded and is played again, seconds. */
const maxClockSkewSeconds = 600

export interface AliveOptions {
  pubsub: GossipSub
  topic: string
  peers: PeerTable
  /** What this node announces. */
  own: () => Announcement[]
  version: string
  /** Whether announcements of this peer enter the peer table (protocol 04 §6.3). */
  isMember: (peerId: string) => boolean
  logger: Logger
}

/** Announces how to reach this node, and remembers how to reach others (protocol 04 §6.2–6.3). */
export class Alive {
  readonly #options: AliveOptions
  /** Announcements of peers that are not members yet: they may be once the registry arrives. */
  readonly #strangers = new Map<string, { peerId: string; announcement: Announcement }>()
  readonly #lastHeardMs = new Map<string, number>()
  readonly #lastTime = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  /** What a newcomer hears first may be lost while its streams are set up: it is said again soon, then ever later. */
  #nextGapMs = repeatAfterMs
  #lastAnnouncedMs = 0

  constructor(options: AliveOptions) {
    this.#options = options
  }

  start(): void {
    const { pubsub, topic } = this.#options
    pubsub.topicValidators.set(topic, (_peer, message) =>
      message.type === 'signed'
        ? this.#judge(message.from.toString(), message.data)
        : TopicValidatorResult.Reject,
    )
    pubsub.subscribe(topic)
    this.#nextGapMs = repeatAfterMs
    this.#announceIn(firstAfterMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Announces soon, for a peer that just joined. */
  greet(): void {
    const waited = Date.now() - this.#lastAnnouncedMs
    this.#nextGapMs = repeatAfterMs
    this.#announceIn(Math.max(100, repeatAfterMs - waited))
  }

  /** Takes in announcements of peers that have become members meanwhile. */
  reconsiderStrangers(): void {
    for (const [key, { peerId, announcement }] of this.#strangers) {
      if (!this.#options.isMember(peerId)) continue
      this.#strangers.delete(key)
      void this.#save(peerId, announcement)
    }
  }

  #announceIn(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#announceIn(this.#nextGapMs)
      this.#nextGapMs = Math.min(2 * this.#nextGapMs, periodMs)
      this.#lastAnnouncedMs = Date.now()
      void this.#announce()
    }, delayMs)
  }

  async #announce(): Promise<void> {
    const { pubsub, topic, own, version, logger } = this.#options
    for (const announcement of own()) {
      try {
        await pubsub.publish(topic, encodeAnnouncement(announcement, version, Date.now() / 1000))
      } catch (error) {
        logger.debug({ err: error }, 'announcement not sent')
      }
    }
  }

  #judge(peerId: string, data: Uint8Array): TopicValidatorResult {
    if (data.length > maxAnnouncementBytes) return TopicValidatorResult.Reject
    let announcement: Announcement | null
    try {
      announcement = parseAnnouncement(decodePayload(data))
    } catch {
      return TopicValidatorResult.Reject
    }
    if (!announcement) return TopicValidatorResult.Reject
    const key = `${peerId} ${announcement.peer_type}`
    const now = Date.now()
    if (now - (this.#lastHeardMs.get(key) ?? 0) < minimumGapMs) return TopicValidatorResult.Ignore
    if (this.#isStale(key, announcement, now)) return TopicValidatorResult.Ignore
    rememberBounded(this.#lastHeardMs, key, now)
    if (this.#options.isMember(peerId)) void this.#save(peerId, announcement)
    else rememberBounded(this.#strangers, key, { peerId, announcement })
    return TopicValidatorResult.Accept
  }

  /**
   * Announcements are signed by the peer that makes them, as every gossip message is; the time in it keeps others from
   * playing an old one again.
   */
  #isStale(key: string, { time }: Announcement, nowMs: number): boolean {
    const last = this.#lastTime.get(key)
    if (time === undefined) return last !== undefined
    if (Math.abs(nowMs / 1000 - time) > maxClockSkewSeconds || time <= (last ?? 0)) return true
    rememberBounded(this.#lastTime, key, time)
    return false
  }

  async #save(peerId: string, announcement: Announcement): Promise<void> {
    try {
      await this.#options.peers.save(peerId, announcement)
    } catch (error) {
      this.#options.logger.warn({ err: error, peer: peerId }, 'could not remember a peer')
    }
  }
}

function rememberBounded<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= maxStrangers) return
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
