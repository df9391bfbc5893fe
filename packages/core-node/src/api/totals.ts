import { CompiledQuery, type RawBuilder } from 'kysely'
import type { Logger } from 'pino'
import type { Readable } from '../database/read-pools.ts'
import { countPatiently } from './patient-count.ts'
import { SlowCache } from './slow-cache.ts'

/** How many rows there are. */
export interface Total {
  count: number
  /** PostgreSQL's guess, until the rows have been counted. */
  isEstimate: boolean
}

/** More rows than this are not counted while a request waits. */
const mostWaitedFor = 20_000

/** How many rows lists have in all: exactly for short lists, and without making a request wait for a long count. */
export class Totals {
  readonly #lists: Readable
  readonly #cache: SlowCache<Total>
  readonly #stopping = new AbortController()

  /** @param lists where rows are counted unless a caller says otherwise */
  constructor(lists: Readable, logger: Logger) {
    this.#lists = lists
    this.#cache = new SlowCache((error) => {
      if (!this.#stopping.signal.aborted) logger.warn({ err: error }, 'the rows of a list were not counted')
    })
  }

  /** Gives up counts that are under way. */
  stop(): void {
    this.#stopping.abort()
  }

  /** @param source `from …` and what follows, without an order */
  async of(source: RawBuilder<unknown>, { db, pool }: Readable = this.#lists): Promise<Total> {
    const { sql: text, parameters: values } = source.compile(db)
    const ask = async <Row>(what: string): Promise<Row> => {
      const { rows } = await db.executeQuery<Row>(CompiledQuery.raw(`${what} ${text}`, [...values]))
      return rows[0]!
    }
    const plan = await ask<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
      'explain (format json) select 1',
    )
    const estimate = plan['QUERY PLAN'][0].Plan['Plan Rows']
    if (estimate <= mostWaitedFor) {
      const row = await ask<{ count: bigint }>('select count(*) as count')
      return { count: Number(row.count), isEstimate: false }
    }
    const count = async () => ({
      count: await countPatiently(pool, { text, values }, this.#stopping.signal),
      isEstimate: false,
    })
    return this.#cache.get(`${text} ${JSON.stringify(values)}`, count, async () => ({
      count: estimate,
      isEstimate: true,
    }))
  }
}
