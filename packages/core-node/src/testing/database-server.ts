import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { pino } from 'pino'
import { EmbeddedDatabase } from '../database/embedded-postgres.ts'
import { migrate } from '../database/migrate.ts'
import { createPool } from '../database/pool.ts'

const logger = pino({ level: 'error' }, pino.destination(2))

/** PostgreSQL of its own for as many databases as one likes, gone when it is disposed of. */
export class DatabaseServer implements AsyncDisposable {
  readonly #server: EmbeddedDatabase
  readonly #folder: string
  readonly #address: string
  readonly #pools: pg.Pool[] = []

  private constructor(server: EmbeddedDatabase, folder: string, address: string) {
    this.#server = server
    this.#folder = folder
    this.#address = address
  }

  static async start(): Promise<DatabaseServer> {
    const folder = await mkdtemp(join(tmpdir(), 'aleph-databases-'))
    const server = await EmbeddedDatabase.create({ dataDir: folder })
    return new DatabaseServer(server, folder, await server.start())
  }

  /** A new, empty database of a core node; one that is not `durable` answers before anything is on the disk. */
  async create(name: string, { durable = true } = {}): Promise<pg.Pool> {
    const admin = createPool({ connectionString: this.#address, logger, maxConnections: 1 })
    await admin.query(`create database ${name}`)
    if (!durable) await admin.query(`alter database ${name} set synchronous_commit to off`)
    await admin.end()
    const address = new URL(this.#address)
    address.pathname = `/${name}`
    const pool = createPool({ connectionString: address.href, logger, maxConnections: 4 })
    this.#pools.push(pool)
    await migrate(pool)
    return pool
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pool of this.#pools) await pool.end()
    await this.#server.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
