import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { pino } from 'pino'
import { parseUnits } from 'viem'
import { EmbeddedDatabase } from '../../database/embedded-postgres.ts'
import { migrate } from '../../database/migrate.ts'
import { createPool } from '../../database/pool.ts'

export const silentLogger = pino({ level: 'silent' })

/** A real, empty PostgreSQL with the node's tables, and the questions these tests ask of it. */
export class ChainDatabase {
  readonly pool: pg.Pool
  readonly #server: EmbeddedDatabase
  readonly #folder: string

  private constructor(pool: pg.Pool, server: EmbeddedDatabase, folder: string) {
    this.pool = pool
    this.#server = server
    this.#folder = folder
  }

  static async start(): Promise<ChainDatabase> {
    const folder = await mkdtemp(join(tmpdir(), 'aleph-chains-'))
    const server = await EmbeddedDatabase.create({ dataDir: folder })
    const pool = createPool({
      connectionString: await server.start(),
      logger: silentLogger,
      maxConnections: 4,
    })
    await migrate(pool)
    return new ChainDatabase(pool, server, folder)
  }

  async stop(): Promise<void> {
    await this.pool.end()
    await this.#server.stop()
    await rm(this.#folder, { recursive: true })
  }

  async clear(): Promise<void> {
    await this.pool.query(
      'truncate chain_cursors, chain_blocks, token_transfers, balances, contract_events, chain_txs cascade',
    )
  }

  /** Balances by address in the contract's smallest unit, as the ledger has them. */
  async balances(): Promise<Record<string, bigint>> {
    return await this.#amounts('select address, balance::text as amount from balances')
  }

  /** The same, added up from all stored transfers. */
  async replayedBalances(): Promise<Record<string, bigint>> {
    return await this.#amounts(`
      select address, (sum(value) * 1e-18)::text as amount from (
        select recipient as address, value from token_transfers
        union all select sender, -value from token_transfers) moves
      where address <> '0x0000000000000000000000000000000000000000'
      group by address having sum(value) <> 0`)
  }

  /** Every row that must depend on the chain alone, as text. */
  async digest(): Promise<string> {
    const { rows } = await this.pool.query(`
      select 'transfer' as kind, t::text as content from token_transfers t
      union all select 'balance', (address, chain, dapp, trim_scale(balance))::text from balances
      order by 1, 2`)
    return rows.map((row) => `${row.kind} ${row.content}`).join('\n')
  }

  /** What the contracts said, in the order it was read. */
  async contractEvents(): Promise<
    { tx_hash: string; publisher: string; height: number; content: unknown }[]
  > {
    const { rows } = await this.pool.query(
      `select e.tx_hash, e.publisher, t.height::int as height, extract(epoch from e.datetime)::float8 as time, e.content
       from contract_events e join chain_txs t on t.hash = e.tx_hash order by e.block_number, e.position`,
    )
    return rows
  }

  async #amounts(query: string): Promise<Record<string, bigint>> {
    const { rows } = await this.pool.query<{ address: string; amount: string }>(query)
    return Object.fromEntries(rows.map((row) => [row.address, parseUnits(row.amount, 18)]))
  }
}
