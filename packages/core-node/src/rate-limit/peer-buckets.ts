import { TokenBucket } from './token-bucket.ts'

/** Peers remembered before those who have been quiet are forgotten. */
const mostPeers = 2_000

/** One {@link TokenBucket} for each peer, in bounded memory. */
export class PeerBuckets {
  readonly #options: { capacity: number; perSecond: number }
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(options: { capacity: number; perSecond: number }) {
    this.#options = options
  }

  of(peerId: string): TokenBucket {
    let bucket = this.#buckets.get(peerId)
    if (!bucket) {
      if (this.#buckets.size >= mostPeers) this.#forgetQuiet()
      bucket = new TokenBucket(this.#options)
      this.#buckets.set(peerId, bucket)
    }
    return bucket
  }

  /** A full bucket says nothing that a new one would not; when all are in use, the oldest goes. */
  #forgetQuiet(): void {
    for (const [peerId, bucket] of this.#buckets) if (bucket.isFull()) this.#buckets.delete(peerId)
    const oldest = this.#buckets.keys().next()
    if (this.#buckets.size >= mostPeers && !oldest.done) this.#buckets.delete(oldest.value)
  }
}
