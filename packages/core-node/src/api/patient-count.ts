import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

/** Rows counted between two pauses. */
const slice = 1000
/** A pause is so many times as long as the slice before it took: a count has a quarter of a core. */
const pauseFactor = 3

/**
 * Counts rows so slowly that requests hardly feel it.
 *
 * @param source `from …` and what follows, without an order
 * @throws {DOMException} AbortError
 */
export async function countPatiently(
  pool: pg.Pool,
  source: { text: string; values: readonly unknown[] },
  signal: AbortSignal,
): Promise<number> {
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query('begin read only')
    await client.query('set local cursor_tuple_fraction = 1')
    await client.query(`declare counted no scroll cursor for select 1 ${source.text}`, [...source.values])
    for (let count = 0; ; ) {
      const started = performance.now()
      const { rowCount } = await client.query(`move forward ${slice} in counted`)
      count += rowCount ?? 0
      if (rowCount !== slice) {
        await client.query('commit')
        return count
      }
      await sleep((performance.now() - started) * pauseFactor, undefined, { signal })
    }
  } catch (error) {
    failure = error as Error
    throw error
  } finally {
    // A connection in the middle of something is closed.
    client.release(failure)
  }
}
