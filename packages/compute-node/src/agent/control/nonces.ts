const MAX_REMEMBERED = 10_000

/** Nonces of owners' operations, as long as each operation could be sent again; of too many, the oldest are forgotten. */
export class Nonces {
  readonly #expiries = new Map<string, number>()

  /** Whether this nonce of this address is new; remembers it until `until`. Times in epoch seconds. */
  take(address: string, nonce: string, until: number, now: number): boolean {
    const key = `${address.toLowerCase()}/${nonce}`
    if ((this.#expiries.get(key) ?? 0) >= now) return false
    this.#expiries.delete(key)
    if (this.#expiries.size >= MAX_REMEMBERED)
      this.#expiries.delete(this.#expiries.keys().next().value as string)
    this.#expiries.set(key, until)
    return true
  }
}
