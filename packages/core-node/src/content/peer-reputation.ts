/** Time a peer that served wrong bytes is not asked, ms. */
const liarPauseMs = 10 * 60_000
const maxRemembered = 1024

interface Record {
  /** Recent failures; halves with every success. */
  failures: number
  pausedUntilMs: number
}

/** What this process learned about the nodes it fetched content from. */
export class PeerReputation {
  readonly #records = new Map<string, Record>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** The peers worth asking, most reliable first; equal ones in random order, so that no single node gets all load. */
  rank(peers: Iterable<string>): string[] {
    const now = this.#now()
    return [...new Set(peers)]
      .map((peer) => ({ peer, record: this.#records.get(peer), lot: Math.random() }))
      .filter(({ record }) => (record?.pausedUntilMs ?? 0) <= now)
      .sort((a, b) => (a.record?.failures ?? 0) - (b.record?.failures ?? 0) || a.lot - b.lot)
      .map(({ peer }) => peer)
  }

  delivered(peer: string): void {
    this.#change(peer, (record) => {
      record.failures = Math.floor(record.failures / 2)
    })
  }

  failed(peer: string): void {
    this.#change(peer, (record) => {
      record.failures += 1
    })
  }

  /** The peer served bytes that do not have the hash it was asked for. */
  lied(peer: string): void {
    this.#change(peer, (record) => {
      record.failures += 1
      record.pausedUntilMs = this.#now() + liarPauseMs
    })
  }

  #change(peer: string, change: (record: Record) => void): void {
    const record = this.#records.get(peer) ?? { failures: 0, pausedUntilMs: 0 }
    this.#records.delete(peer)
    this.#records.set(peer, record)
    change(record)
    const oldest = this.#records.keys().next()
    if (this.#records.size > maxRemembered && !oldest.done) this.#records.delete(oldest.value)
  }
}
