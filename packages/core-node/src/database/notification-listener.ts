import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'

const longestPauseMs = 5_000

/**
 * Hears what other processes say on channels of the database (`NOTIFY`). A lost connection is opened again; what was said
 * meanwhile is not heard, so listeners look for themselves whenever `onConnected` is called.
 */
export class NotificationListener {
  readonly #options: {
    connectionString: string
    channel: string
    logger: Logger
    onConnected: () => void
    onMessage: (payload: string) => void
  }
  readonly #stopping = new AbortController()
  #client: pg.Client | undefined
  #loop: Promise<void> | undefined

  constructor(options: {
    connectionString: string
    channel: string
    logger: Logger
    /** Called after every connection, the first included. */
    onConnected: () => void
    onMessage: (payload: string) => void
  }) {
    this.#options = options
  }

  /** Resolves when it listens; rejects when the database cannot be reached. */
  async start(): Promise<void> {
    const connection = await this.#connect()
    this.#loop = this.#keepConnected(connection.lost)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#client?.end().catch(() => {})
    await this.#loop
  }

  /** `lost` resolves at the connection's end. */
  async #connect(): Promise<{ lost: Promise<void> }> {
    const { connectionString, channel, onConnected, onMessage } = this.#options
    const client = new pg.Client({ connectionString, keepAlive: true })
    const lost = new Promise<void>((resolve) => client.once('end', resolve))
    // It ends as well, and that is where we act.
    client.on('error', () => {})
    client.on('notification', ({ payload }) => onMessage(payload ?? ''))
    await client.connect()
    await client.query(`listen ${pg.escapeIdentifier(channel)}`)
    this.#client = client
    onConnected()
    return { lost }
  }

  async #keepConnected(lost: Promise<void>): Promise<void> {
    const { signal } = this.#stopping
    for (let pauseMs = 100; ; ) {
      await lost
      if (signal.aborted) return
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        lost = (await this.#connect()).lost
        pauseMs = 100
      } catch (error) {
        this.#options.logger.warn({ err: error }, 'other processes of this node are not heard; trying again')
        lost = Promise.resolve()
        pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      }
    }
  }
}
