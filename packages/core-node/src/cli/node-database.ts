import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { type Logger, pino } from 'pino'
import type { CoreNodeConfig } from '../config.ts'
import { EmbeddedDatabase } from '../database/embedded-postgres.ts'
import { createPool, isDatabaseAway } from '../database/pool.ts'

/** No node ever ran with this configuration. */
export class NoDatabaseError extends Error {
  readonly code = 'no_database'
}

/**
 * Works on the database of a node, whether the node runs or not: one that is embedded and down is started for the time
 * of the work.
 */
export async function withDatabase<T>(
  config: CoreNodeConfig,
  work: (pool: pg.Pool) => Promise<T>,
): Promise<T> {
  const logger = pino({ level: 'silent' })
  if (config.databaseUrl) return withPool(config.databaseUrl, logger, work)
  const database = await EmbeddedDatabase.create({ dataDir: config.dataDir, logger })
  if (await answers(database.connectionString, logger)) {
    return withPool(database.connectionString, logger, work)
  }
  if (!existsSync(join(config.dataDir, 'postgres', 'data'))) {
    throw new NoDatabaseError(
      `${config.dataDir} holds no database; start the node once, or name another data folder`,
    )
  }
  await database.start()
  try {
    return await withPool(database.connectionString, logger, work)
  } finally {
    await database.stop()
  }
}

async function answers(connectionString: string, logger: Logger): Promise<boolean> {
  try {
    await withPool(connectionString, logger, (pool) => pool.query('select 1'))
    return true
  } catch (error) {
    if (isDatabaseAway(error)) return false
    throw error
  }
}

async function withPool<T>(
  connectionString: string,
  logger: Logger,
  work: (pool: pg.Pool) => Promise<T>,
): Promise<T> {
  const pool = createPool({ connectionString, logger, maxConnections: 2 })
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}
