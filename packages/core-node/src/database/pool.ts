import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import type { Database } from './schema.ts'

const int8Oid = 20

/**
 * Connections to the node's database. `bigint` columns come back as BigInt, `numeric` as decimal text.
 *
 * @param options.maxConnections kept below the server's `max_connections`
 * @param options.statementMs statements that run longer are cancelled
 */
export function createPool(options: {
  connectionString: string
  logger: Logger
  maxConnections?: number
  statementMs?: number
}): pg.Pool {
  const types: pg.CustomTypesConfig = {
    getTypeParser(oid: number, format?: 'text' | 'binary') {
      if (oid === int8Oid && format !== 'binary') return BigInt
      return pg.types.getTypeParser(oid, format as 'text')
    },
  }
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.maxConnections ?? 16,
    statement_timeout: options.statementMs,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    types,
  })
  pool.on('error', () => {})
  // A connection in use reports its end here as well as to the query at hand; unheard, it would end the process.
  pool.on('connect', (client) => {
    client.on('error', (error) => options.logger.warn(`a database connection was lost: ${error.message}`))
  })
  return pool
}

/** Typed queries over a pool; closing it closes the pool. */
export function createKysely(pool: pg.Pool): Kysely<Database> {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
}

/** Runs `work` in one transaction: all of it is committed, or none. */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (transaction: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((rollbackError: Error) => {
      broken = rollbackError
    })
    throw error
  } finally {
    client.release(broken)
  }
}

/** True when the database is away rather than unhappy with what we asked. */
export function isDatabaseAway(error: unknown): boolean {
  const { code, syscall, message } = (error ?? {}) as { code?: unknown; syscall?: string; message?: unknown }
  // A missing socket file is a server that is not up; a missing file anywhere else is not ours to judge.
  if (code === 'ENOENT') return syscall === 'connect'
  if (typeof code === 'string' && /^(08|57P0|53300|ECONN|EPIPE)/.test(code)) return true
  return (
    typeof message === 'string' &&
    /Connection terminated|connection timeout|timeout exceeded when trying to connect/.test(message)
  )
}
