import { CompiledQuery, type Kysely, type RawBuilder } from 'kysely'
import type { Logger } from 'pino'
import type { Database } from '../database/schema.ts'
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
  readonly #db: Kysely<Database>
  readonly #cache: SlowCache<Total>

  constructor(db: Kysely<Database>, logger: Logger) {
    this.#db = db
    this.#cache = new SlowCache((error) => logger.warn({ err: error }, 'the rows of a list were not counted'))
  }

  /** @param source `from …` and what follows, without an order */
  async of(source: RawBuilder<unknown>): Promise<Total> {
    const { sql, parameters } = source.compile(this.#db)
    const ask = async <Row>(what: string): Promise<Row> => {
      const { rows } = await this.#db.executeQuery<Row>(CompiledQuery.raw(`${what} ${sql}`, [...parameters]))
      return rows[0]!
    }
    const count = async () => {
      const row = await ask<{ count: bigint }>('select count(*) as count')
      return { count: Number(row.count), isEstimate: false }
    }
    const plan = await ask<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
      'explain (format json) select 1',
    )
    const estimate = plan['QUERY PLAN'][0].Plan['Plan Rows']
    if (estimate <= mostWaitedFor) return count()
    return this.#cache.get(`${sql} ${JSON.stringify(parameters)}`, count, async () => ({
      count: estimate,
      isEstimate: true,
    }))
  }
}
