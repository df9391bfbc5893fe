import type { Kysely } from 'kysely'
import type pg from 'pg'
import type { Logger } from 'pino'
import { createKysely, createPool } from './pool.ts'
import type { Database } from './schema.ts'

/** Connections of the API to one server, beside those that write. */
const connections = 12

/** Connections for reading, with a limit on the time of a statement. */
export interface Readable {
  db: Kysely<Database>
  pool: pg.Pool
}

/** What the API reads from. */
export class ReadPools implements AsyncDisposable {
  /** The database that takes writes: who has just written something finds it there. */
  readonly primary: Readable
  /** A replica that may be some moments behind, or the same as `primary` without one. */
  readonly replica: Readable

  constructor(options: {
    connectionString: string
    replicaConnectionString?: string | undefined
    /** Statements that run longer are cancelled. */
    statementMs: number
    logger: Logger
  }) {
    const { connectionString, replicaConnectionString, statementMs, logger } = options
    const open = (url: string): Readable => {
      const pool = createPool({ connectionString: url, logger, maxConnections: connections, statementMs })
      return { db: createKysely(pool), pool }
    }
    this.primary = open(connectionString)
    this.replica = replicaConnectionString ? open(replicaConnectionString) : this.primary
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pool } of new Set([this.primary, this.replica])) await pool.end()
  }
}
