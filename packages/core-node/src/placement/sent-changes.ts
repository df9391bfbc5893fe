import type { Allocation } from '@aleph-ts/protocol'

/** A change we sent counts as made until it is processed, for this long, seconds. */
const patienceSeconds = 60

/** Changes to this owner's claims that were published, and that the state may not show yet. */
export class SentChanges {
  readonly #sent = new Map<string, { change: Allocation | null; at: number }>()

  /** @param now epoch seconds */
  add(changes: ReadonlyMap<string, Allocation | null>, now: number): void {
    for (const [vmHash, change] of changes) this.#sent.set(vmHash, { change, at: now })
  }

  get all(): [vmHash: string, change: Allocation | null][] {
    return [...this.#sent].map(([vmHash, { change }]) => [vmHash, change])
  }

  /**
   * Forgets what the state shows, and what it has not shown for too long.
   *
   * @param published what the state shows of this owner's claims
   * @param now epoch seconds
   */
  settle(published: ReadonlyMap<string, unknown>, now: number): void {
    for (const [vmHash, { change, at }] of this.#sent) {
      const shown = published.get(vmHash) as Partial<Allocation> | undefined
      const isShown = (key: 'node' | 'since' | 'target') => shown?.[key] === change?.[key]
      const isProcessed = change ? isShown('node') && isShown('since') && isShown('target') : !shown
      if (isProcessed || now - at > patienceSeconds) this.#sent.delete(vmHash)
    }
  }
}
