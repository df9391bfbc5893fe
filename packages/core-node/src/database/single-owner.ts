import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** Another core node uses this database. */
export class DatabaseInUseError extends Error {
  readonly code = 'database_in_use'
}

const lockKey = 0x616c6571 // "aleq"
/** The server notices a killed client only after a while. */
const patienceMs = 2_000

/** Makes sure that one core node alone writes to a database, by a lock that ends with the connection. */
export class SingleOwner {
  readonly #connectionString: string
  #client: pg.Client | undefined

  constructor(connectionString: string) {
    this.#connectionString = connectionString
  }

  /** @throws {DatabaseInUseError} */
  async claim(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#connectionString, keepAlive: true })
    // The connection breaks when the server restarts; nobody can slip in meanwhile on an embedded one.
    client.on('error', () => {})
    await client.connect()
    this.#client = client
    for (const deadline = Date.now() + patienceMs; ; await sleep(200)) {
      const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [
        lockKey,
      ])
      if (rows[0]?.held) return
      if (Date.now() > deadline) {
        throw new DatabaseInUseError(
          'Another core node uses this database; give each node its own DATABASE_URL',
        )
      }
    }
  }

  async release(): Promise<void> {
    await this.#client?.end().catch(() => {})
    this.#client = undefined
  }
}
