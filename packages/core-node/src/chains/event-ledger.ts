import type { Queryable } from './queryable.ts'

/**
 * State made of the events of one chain. Both methods work inside the caller's transaction, so that the
 * state and the reader's position move together, and return the keys (such as addresses) they changed.
 */
export interface EventLedger<Event> {
  /** Adds events; those it already holds change nothing. */
  apply(transaction: Queryable, chain: string, events: Event[]): Promise<string[]>
  /** Takes back everything that came from blocks above the given one; −1 takes back all. */
  revertAbove(transaction: Queryable, chain: string, blockNumber: number): Promise<string[]>
}
