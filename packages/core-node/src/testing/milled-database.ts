import { devnetProfile, type Envelope } from '@aleph-ts/protocol'
import type pg from 'pg'
import { pino } from 'pino'
import { type ProcessingTools, processBatch } from '../pipeline/process-batch.ts'
import { MessageMill, type MillOptions, sizeOfMilledFile } from './message-mill.ts'

const logger = pino({ level: 'error' }, pino.destination(2))

/** Puts generated messages into a core node's database by the very code that processes messages. */
export class MilledDatabase {
  readonly mill: MessageMill
  readonly #tools: ProcessingTools
  #nextSeq = 1n

  private constructor(pool: pg.Pool, mill: MessageMill) {
    this.mill = mill
    this.#tools = {
      pool,
      profile: devnetProfile,
      fileStore: {
        stat: async (hash) => {
          const size = sizeOfMilledFile(hash)
          return size === undefined ? undefined : { type: 'file', size }
        },
        readBytes: async () => undefined,
      },
      logger,
      maxRetries: 0,
      waitedFor: new Set(),
      stale: { some: false },
    }
  }

  /** @param pool a migrated, empty database; its accounts get all the ALEPH they need */
  static async create(pool: pg.Pool, options: MillOptions = {}): Promise<MilledDatabase> {
    const mill = new MessageMill(options)
    await pool.query(
      "insert into balances (address, chain, balance) select address, 'ETH', 1e12 from unnest($1::text[]) as t(address)",
      [mill.addresses],
    )
    return new MilledDatabase(pool, mill)
  }

  /**
   * Processes messages in batches of a size.
   *
   * @throws {Error} when one of them is refused: the mill makes only messages that are accepted
   */
  async apply(messages: Envelope[], batchSize = 500): Promise<void> {
    for (let start = 0; start < messages.length; start += batchSize) {
      const candidates = messages.slice(start, start + batchSize).map((envelope) => ({
        envelope,
        receptionTime: new Date(),
        retries: 0,
        balancesAreFresh: true,
      }))
      const { rejected, nextSeq } = await processBatch(candidates, this.#nextSeq, this.#tools)
      this.#nextSeq = nextSeq
      const [first] = rejected
      if (first) throw new Error(`a generated message was refused: ${JSON.stringify(first.details)}`)
    }
  }

  /** Adds so many messages without waiting for the disk, then lets the planner know. */
  async fill(count: number, onProgress?: (done: number) => void): Promise<void> {
    const { pool } = this.#tools
    await pool.query(`alter database ${await databaseName(pool)} set synchronous_commit to off`)
    const step = 2_000
    let analyzed = 0
    for (let done = 0; done < count; done += step) {
      // Plans made for small tables are bad ones for large tables.
      if (done > 4 * analyzed) {
        await pool.query('analyze')
        analyzed = done
      }
      const part = Math.min(step, count - done)
      await this.apply(this.mill.takeInRuns(part), part)
      onProgress?.(done + part)
    }
    await pool.query('vacuum analyze')
  }
}

async function databaseName(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<{ name: string }>('select quote_ident(current_database()) as name')
  return rows[0]!.name
}
