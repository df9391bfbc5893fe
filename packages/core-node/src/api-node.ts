import { mkdir } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import { listeningUrl } from './api/listening-url.ts'
import { createServer } from './api/server.ts'
import { ConfigError, type CoreNodeConfig } from './config.ts'
import { PeerContentFetcher } from './content/peer-content-fetcher.ts'
import type { CoreNodeContext } from './context.ts'
import { createContext } from './create-context.ts'
import { schemaIsCurrent } from './database/migrate.ts'
import { createPool } from './database/pool.ts'
import { ReadPools } from './database/read-pools.ts'
import { PeerTable } from './gossip/peer-table.ts'
import { Outcomes } from './pipeline/outcomes.ts'
import { createMandate } from './placement/mandate.ts'
import { Placement } from './placement/placement.ts'
import { Registry } from './registry/registry.ts'
import { ApiSide } from './relay/api-side.ts'
import { Rewards } from './rewards/rewards.ts'
import { ScoreBook } from './scoring/score-book.ts'
import { version } from './version.ts'

/**
 * A process of a core node that serves clients only: it takes messages in durably and reads what the node's processing
 * process makes of them. Any number of them may run beside that one, on the same database and data folder.
 */
export class ApiNode {
  readonly context: CoreNodeContext
  readonly #connectionString: string
  #started = new AsyncDisposableStack()
  #server: FastifyInstance | undefined

  private constructor(context: CoreNodeContext, connectionString: string) {
    this.context = context
    this.#connectionString = connectionString
  }

  /** @throws {ConfigError} without a database that several processes can share */
  static async create(config: CoreNodeConfig, options: { logger?: Logger } = {}): Promise<ApiNode> {
    const { databaseUrl } = config
    if (!databaseUrl) throw new ConfigError('DATABASE_URL: an API process needs the database of its node')
    const logger =
      options.logger ?? pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }))
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
    const pool = createPool({ connectionString: databaseUrl, logger })
    return new ApiNode(await createContext(config, logger, pool), databaseUrl)
  }

  /**
   * Resolves when the API answers.
   *
   * @throws {MigrationError} when no processing node has prepared the database
   */
  async start(): Promise<void> {
    try {
      await this.#start()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async #start(): Promise<void> {
    const { context } = this
    const { config, pool, logger, events, profile } = context
    this.#started.adopt(pool, (connections) => connections.end())
    this.#started.use(context.verifier)
    await schemaIsCurrent(pool)
    const reads = this.#started.use(
      new ReadPools({
        connectionString: this.#connectionString,
        replicaConnectionString: config.databaseReadUrl,
        statementMs: config.limits.queryMs,
        logger,
      }),
    )
    // Only one process may compute the registry; this one goes by the published one.
    const registry = new Registry(context)
    this.#started.defer(() => registry.stop())
    await registry.start()
    const placement = this.#started.use(
      Placement.create(context, { registry, mandate: await createMandate(context, { peerId: '' }) }),
    )
    // It never comes to know that the state is current, so it shows places and decides none.
    await placement.start(new Promise(() => {}))
    const outcomes = new Outcomes(events)
    outcomes.start()
    const apiSide = new ApiSide(context, {
      connectionString: this.#connectionString,
      placementEvents: placement.history.events,
    })
    this.#started.defer(() => apiSide.stop())
    await apiSide.start()
    this.#server = await createServer(
      { ...context, ...reads.primary, replica: reads.replica, writes: pool },
      {
        outcomes,
        placement,
        registry,
        rewards: new Rewards({ pool, profile, registry: null }),
        scores: new ScoreBook({ pool, profile }),
        fetcher: this.#createFetcher(registry),
        nodeMultiaddrs: () => apiSide.multiaddrs,
      },
    )
    this.#started.adopt(this.#server, (server) => server.close())
    await this.#server.listen({ host: config.http.host, port: config.http.port })
    logger.info({ url: this.url }, 'API process is ready')
  }

  /** Stops accepting, finishes what is at hand, and ends everything it started. */
  async stop(): Promise<void> {
    const started = this.#started
    this.#started = new AsyncDisposableStack()
    await started.disposeAsync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Where the API answers. */
  get url(): string {
    return listeningUrl(this.#server!.server)
  }

  get version(): string {
    return version
  }

  #createFetcher(registry: Registry): PeerContentFetcher {
    const fetcher = PeerContentFetcher.create(this.context, {
      registry,
      peers: new PeerTable(this.context.pool),
      isMember: (peerId) => registry.peerIds.has(peerId),
      ownUrl: () => undefined,
    })
    this.#started.defer(() => fetcher.stop())
    return fetcher
  }
}
