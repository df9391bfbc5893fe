/**
 * Messages that need not be asked for again for a while: because somebody else is being asked right now, or because
 * what this peer gave was refused, or it has no content for them. Bounded; the oldest are forgotten first.
 */
export class RecentlyAsked {
  readonly #pauseMs: number
  readonly #size: number
  readonly #until = new Map<string, number>()
  readonly #inFlight = new Set<string>()

  constructor(options: { pauseMs: number; size: number }) {
    this.#pauseMs = options.pauseMs
    this.#size = options.size
  }

  /** Claims those of the hashes that may be asked of this peer now; `busy`: how many others are being asked for. */
  claim(peerId: string, hashes: string[], nowMs = Date.now()): { claimed: string[]; busy: number } {
    const free = hashes.filter((hash) => !this.#inFlight.has(hash))
    const claimed = free.filter((hash) => (this.#until.get(`${peerId} ${hash}`) ?? 0) <= nowMs)
    for (const hash of claimed) this.#inFlight.add(hash)
    return { claimed, busy: hashes.length - free.length }
  }

  /** The peer has answered for these: should they still be lacking, they are not asked of it again at once. */
  settle(peerId: string, hashes: string[], nowMs = Date.now()): void {
    for (const hash of hashes) {
      const key = `${peerId} ${hash}`
      this.#until.delete(key)
      this.#until.set(key, nowMs + this.#pauseMs)
    }
    for (const key of this.#until.keys()) {
      if (this.#until.size <= this.#size) break
      this.#until.delete(key)
    }
  }

  /** Ends a claim, whatever came of it. */
  release(hashes: string[]): void {
    for (const hash of hashes) this.#inFlight.delete(hash)
  }
}
