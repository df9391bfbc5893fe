import { type CreditEntry, type CreditLot, compareLots, isSpendable } from './credit-entry.ts'

/** A part of an account's credits with one expiration, epoch milliseconds; null: they never expire. */
export interface CreditPart {
  expiration: number | null
  amount: bigint
}

/**
 * What every account has left, lot by lot. Entries must come in the order of (time, ref, index), which
 * {@link replayCredits} sees to.
 */
export class CreditLedger {
  readonly #lots = new Map<string, CreditLot[]>()
  /** How many of an account's first lots are used up: a post with many entries passes over them once. */
  readonly #used = new Map<string, number>()
  /** Leases that were paid, see {@link leaseRef}. */
  readonly #paidLeases = new Set<string>()

  /** A ledger that goes on where lots were left. */
  static of(lots: Iterable<CreditLot>): CreditLedger {
    const ledger = new CreditLedger()
    for (const lot of lots) ledger.#lotsOf(lot.address).push({ ...lot })
    for (const own of ledger.#lots.values()) own.sort(compareLots)
    return ledger
  }

  /** A ledger of the same lots, of which changes leave this one as it is. */
  copy(): CreditLedger {
    const ledger = CreditLedger.of([...this.#lots.values()].flat())
    for (const lease of this.#paidLeases) ledger.payLease(lease)
    return ledger
  }

  /** Lots of an account in the order they are spent, used up ones included. */
  lots(address: string): readonly CreditLot[] {
    return this.#lots.get(address) ?? []
  }

  addresses(): IterableIterator<string> {
    return this.#lots.keys()
  }

  /** Credits an account can spend at a time, epoch seconds. */
  balance(address: string, at: number): bigint {
    return creditBalance(this.lots(address), at)
  }

  /** Adds credits that were given. */
  grant({ ref, index, address, amount, time, expiration }: CreditEntry): void {
    const own = this.#lotsOf(address)
    own.push({ ref, index, address, remaining: amount, time, expiration })
    if (own.length === 1 || compareLots(own.at(-2)!, own.at(-1)!) <= 0) return
    own.sort(compareLots)
    this.#used.delete(address)
  }

  /** Takes credits, as far as there are any; what is missing makes no debt. Returns from what they were taken. */
  drain(address: string, amount: bigint, at: number): CreditPart[] {
    const own = this.lots(address)
    let used = this.#used.get(address) ?? 0
    const parts: CreditPart[] = []
    let left = amount
    for (let position = used; position < own.length && left > 0n; position++) {
      const lot = own[position]!
      if (isSpendable(lot, at)) {
        const taken = lot.remaining < left ? lot.remaining : left
        lot.remaining -= taken
        left -= taken
        parts.push({ expiration: lot.expiration, amount: taken })
      }
      if (position === used && lot.remaining === 0n) used++
    }
    this.#used.set(address, used)
    return parts
  }

  isLeasePaid(lease: string): boolean {
    return this.#paidLeases.has(lease)
  }

  payLease(lease: string): void {
    this.#paidLeases.add(lease)
  }

  #lotsOf(address: string): CreditLot[] {
    const own = this.#lots.get(address) ?? []
    this.#lots.set(address, own)
    return own
  }
}

/** Sum of the lots that can be spent at a time, epoch seconds. */
export function creditBalance(lots: Iterable<CreditLot>, at: number): bigint {
  let sum = 0n
  for (const lot of lots) if (isSpendable(lot, at)) sum += lot.remaining
  return sum
}

/** The balance by expiration: what never expires first, then the soonest (protocol 02 §14.5). */
export function creditParts(lots: Iterable<CreditLot>, at: number): CreditPart[] {
  const sums = new Map<number | null, bigint>()
  for (const lot of lots) {
    if (isSpendable(lot, at)) sums.set(lot.expiration, (sums.get(lot.expiration) ?? 0n) + lot.remaining)
  }
  return [...sums]
    .map(([expiration, amount]) => ({ expiration, amount }))
    .sort((a, b) => (a.expiration ?? 0) - (b.expiration ?? 0))
}
