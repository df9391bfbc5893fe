import { PeerBuckets } from '../rate-limit/peer-buckets.ts'
import type { TokenBucket } from '../rate-limit/token-bucket.ts'

export interface PeerConductOptions {
  /** Only configured and registered peers may connect. */
  membersOnly: boolean
}

/** New messages a peer may hand us at once, and per second; members relay what the whole network says. */
const memberRate = { capacity: 20_000, perSecond: 4_000 }
const strangerRate = { capacity: 500, perSecond: 400 }
/** What being configured or registered is worth: a mishap does not cost a member its connections. */
const memberScore = 200
/** A stranger that hands us more than it may loses so much for each message; it is made good in time. */
const excessCost = 0.5
/** … and for each message that looks wrong to us alone, such as a smart wallet's on a chain we cannot ask. */
const doubtCost = 3
const costHalvesMs = 30_000
const banMs = 5 * 60_000
const mostRemembered = 2_000

/** How peers behave towards this node, beyond what gossipsub counts: their rates, our trust, and who is shut out. */
export class PeerConduct {
  /** Whether a peer is configured by the operator or registered as a core node. */
  isMember: (peerId: string) => boolean = () => false
  readonly #membersOnly: boolean
  readonly #members = new PeerBuckets(memberRate)
  readonly #strangers = new PeerBuckets(strangerRate)
  readonly #costs = new Map<string, { cost: number; atMs: number }>()
  readonly #bannedUntilMs = new Map<string, number>()

  constructor(options: PeerConductOptions) {
    this.#membersOnly = options.membersOnly
  }

  /**
   * How many messages of one more frame are looked at: no more than the peer may hand us new ones now. Which of them are
   * new is not known yet and copies are free, so this takes nothing from what it may.
   */
  admitFrame(peerId: string, messages: number, nowMs = performance.now()): number {
    const admitted = Math.min(messages, this.#bucketOf(peerId).available(nowMs))
    if (admitted < messages) this.#chargeExcess(peerId, messages - admitted, nowMs)
    return admitted
  }

  /** Whether one more new message of this peer is looked at; false when it sends too many. */
  admit(peerId: string, nowMs = performance.now()): boolean {
    if (this.#bucketOf(peerId).take(1, nowMs)) return true
    this.#chargeExcess(peerId, 1, nowMs)
    return false
  }

  /** A peer handed us what looks wrong, but others may know better. Members may pass on as much of that as there is. */
  doubt(peerId: string, nowMs = performance.now()): void {
    if (!this.isMember(peerId)) this.#charge(peerId, doubtCost, nowMs)
  }

  /** What this node adds to a peer's gossip score. */
  score(peerId: string, nowMs = performance.now()): number {
    return (this.isMember(peerId) ? memberScore : 0) - this.#costOf(peerId, nowMs)
  }

  /** Shuts a peer out for a while. */
  ban(peerId: string, nowMs = performance.now()): void {
    remember(this.#bannedUntilMs, peerId, nowMs + banMs)
  }

  mayConnect(peerId: string, nowMs = performance.now()): boolean {
    if (this.#membersOnly && !this.isMember(peerId)) return false
    return (this.#bannedUntilMs.get(peerId) ?? 0) <= nowMs
  }

  #bucketOf(peerId: string): TokenBucket {
    return (this.isMember(peerId) ? this.#members : this.#strangers).of(peerId)
  }

  #chargeExcess(peerId: string, messages: number, nowMs: number): void {
    if (!this.isMember(peerId)) this.#charge(peerId, excessCost * messages, nowMs)
  }

  #charge(peerId: string, extra: number, nowMs: number): void {
    remember(this.#costs, peerId, { cost: this.#costOf(peerId, nowMs) + extra, atMs: nowMs })
  }

  #costOf(peerId: string, nowMs: number): number {
    const entry = this.#costs.get(peerId)
    return entry ? entry.cost * 0.5 ** ((nowMs - entry.atMs) / costHalvesMs) : 0
  }
}

/** The oldest entries go first. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > mostRemembered && !oldest.done) map.delete(oldest.value)
}
