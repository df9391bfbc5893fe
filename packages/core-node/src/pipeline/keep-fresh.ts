import type pg from 'pg'
import { type Arrival, storeArrivals } from '../inbox/store-arrivals.ts'
import type { Candidate } from './candidate.ts'

/**
 * Gives fresh messages that cannot be settled now a row among those that wait, and so an id. One of which the same copy
 * waits already gets none.
 *
 * @returns how many made no new row
 */
export async function keepFresh(tx: pg.PoolClient, candidates: Candidate[]): Promise<number> {
  if (candidates.length === 0) return 0
  const arrivals = candidates.map(
    ({ envelope, parsed }): Arrival => ({ envelope, parsed, origin: { door: 'gossip' }, fetched: true }),
  )
  await storeArrivals(tx, arrivals, [])
  for (const [index, { id }] of arrivals.entries()) candidates[index]!.id = id
  return arrivals.filter(({ id, completes }) => id === undefined || completes).length
}
