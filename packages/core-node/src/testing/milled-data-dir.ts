import { pino } from 'pino'
import { EmbeddedDatabase } from '../database/embedded-postgres.ts'
import { migrate } from '../database/migrate.ts'
import { createPool } from '../database/pool.ts'
import { type Sample, sampleOf } from './client-queries.ts'
import { enlarge } from './larger-database.ts'
import { MilledDatabase } from './milled-database.ts'

const logger = pino({ level: 'error' }, pino.destination(2))
/** So many messages are processed; the others are copies of their rows. */
const processed = 50_000

/** Opens the data folder of a core node that does not run, and fills it with generated messages when it is empty. */
export async function milledDataDir(
  dataDir: string,
  count: number,
  onProgress: (done: string) => void,
): Promise<Sample> {
  await using database = await EmbeddedDatabase.create({ dataDir, logger })
  const pool = createPool({ connectionString: await database.start(), logger, maxConnections: 2 })
  try {
    await migrate(pool)
    const { rows } = await pool.query<{ filled: boolean }>('select exists (select from messages) as filled')
    if (!rows[0]!.filled) {
      const base = Math.min(count, processed)
      const milled = await MilledDatabase.create(pool, { senders: 1000 })
      await milled.fill(base)
      onProgress(`${base} messages`)
      await enlarge(pool, Math.ceil(count / base), onProgress)
    }
    return await sampleOf(pool)
  } finally {
    await pool.end()
  }
}
