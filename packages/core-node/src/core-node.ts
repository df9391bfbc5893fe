import { mkdir } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import { listeningUrl } from './api/listening-url.ts'
import { createServer } from './api/server.ts'
import { Bitswap } from './bitswap/bitswap.ts'
import { BlockCatalogue } from './bitswap/block-catalogue.ts'
import { CatchUp } from './catch-up/catch-up.ts'
import { ErasedMessages } from './catch-up/erased-messages.ts'
import { stateIsCurrent } from './catch-up/state-is-current.ts'
import { createBalanceReader } from './chains/balance-reader.ts'
import { ChainBridge } from './chains/chain-bridge.ts'
import { stakingToken } from './chains/staking-token.ts'
import type { CoreNodeConfig } from './config.ts'
import { Kubo } from './content/kubo.ts'
import { PeerContentFetcher } from './content/peer-content-fetcher.ts'
import type { ContentFetcher, CoreNodeContext } from './context.ts'
import { createContext } from './create-context.ts'
import { EmbeddedDatabase } from './database/embedded-postgres.ts'
import { migrate } from './database/migrate.ts'
import { createPool } from './database/pool.ts'
import { ReadPools } from './database/read-pools.ts'
import { SingleOwner } from './database/single-owner.ts'
import { Duties } from './duties.ts'
import { Gossip } from './gossip/gossip.ts'
import { FetchWorker } from './pipeline/fetch-worker.ts'
import { Outcomes } from './pipeline/outcomes.ts'
import { ProcessWorker } from './pipeline/process-worker.ts'
import { StoreFetchMetrics } from './pipeline/store-fetch-metrics.ts'
import { createMandate } from './placement/mandate.ts'
import { Placement } from './placement/placement.ts'
import { Registry } from './registry/registry.ts'
import { observeRegistry } from './registry/registry-metrics.ts'
import { ProcessingSide } from './relay/processing-side.ts'
import { RemovalJobs } from './removal/removal-jobs.ts'
import { Rewards } from './rewards/rewards.ts'
import { ScoreBook } from './scoring/score-book.ts'
import { GarbageCollector } from './storage/garbage-collector.ts'
import { version } from './version.ts'

/**
 * One core node: database, inbox, pipeline, API, gossip, catch-up and placement, wired over one context.
 *
 * @example
 * ```ts
 * await using node = await CoreNode.create(configFromEnvironment(process.env))
 * await node.start()
 * console.log(node.url)
 * ```
 */
export class CoreNode {
  readonly context: CoreNodeContext
  readonly #services: Services
  readonly #database: EmbeddedDatabase | undefined
  readonly #stopping = new AbortController()
  /** What was started and must be stopped, in reverse order. */
  #started = new AsyncDisposableStack()
  #server: FastifyInstance | undefined

  private constructor(context: CoreNodeContext, services: Services, database: EmbeddedDatabase | undefined) {
    this.context = context
    this.#services = services
    this.#database = database
  }

  /** Prepares a node: reads keys, opens folders. Nothing runs before `start()`. */
  static async create(
    config: CoreNodeConfig,
    options: { logger?: Logger; contentFetcher?: ContentFetcher } = {},
  ): Promise<CoreNode> {
    const logger =
      options.logger ?? pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }))
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
    const database = config.databaseUrl
      ? undefined
      : await EmbeddedDatabase.create({ dataDir: config.dataDir, logger })
    const connectionString = config.databaseUrl ?? database!.connectionString
    const pool = createPool({ connectionString, logger })
    const context = await createContext(config, logger, pool)
    return new CoreNode(
      context,
      await createServices(context, connectionString, options.contentFetcher),
      database,
    )
  }

  /**
   * Starts everything; resolves when the API answers and gossip listens.
   *
   * @throws {DatabaseStartError | MigrationError | ConfigError} when the node cannot run here; nothing is left running
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
    const services = this.#services
    const { config, pool, inbox, logger } = context
    if (this.#database) this.#started.adopt(this.#database, (database) => database.stop())
    await this.#database?.start()
    this.#started.adopt(pool, (connections) => connections.end())
    this.#started.use(services.reads)
    this.#started.adopt(services.owner, (owner) => owner.release())
    await services.owner.claim()
    this.#started.use(context.verifier)
    for (const name of await migrate(pool)) logger.info({ migration: name }, 'database brought up to date')
    await inbox.countPending()
    this.#run(services.registry)
    await services.registry.start()
    await this.#followBalances()
    services.outcomes.start()
    const { primary, replica } = services.reads
    this.#server = await createServer(
      { ...context, ...primary, replica, writes: pool },
      { ...services, nodeMultiaddrs: () => services.gossip.multiaddrs },
    )
    this.#started.adopt(this.#server, (server) => server.close())
    await this.#server.listen({ host: config.http.host, port: config.http.port })
    this.#run(services.gossip)
    await services.gossip.start(this.url)
    this.#run(services.bitswap)
    await services.bitswap.start()
    this.#run(services.catchUp)
    await services.catchUp.start()
    this.#run(services.fetchWorker)
    await services.fetchWorker.start()
    this.#run(services.chainBridge)
    services.chainBridge.start()
    if (services.processingSide) {
      this.#run(services.processingSide)
      await services.processingSide.start()
    }
    this.#run(services.garbageCollector)
    services.garbageCollector.start()
    this.#run(services.removalJobs)
    services.removalJobs.start()
    const synced = this.#stateIsCurrent()
    this.#run(services.duties)
    services.duties.start(synced)
    this.#run(services.placement)
    await services.placement.start(synced)
    logger.info({ url: this.url, multiaddrs: this.multiaddrs }, 'core node is ready')
  }

  /** Stops accepting, finishes what is at hand, and ends everything it started. */
  async stop(): Promise<void> {
    this.#stopping.abort()
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

  get peerId(): string {
    return this.#services.gossip.host.peerId.toString()
  }

  get multiaddrs(): string[] {
    return this.#services.gossip.multiaddrs
  }

  /** The operator's EVM address. */
  get address(): string {
    return this.context.operatorKey.address
  }

  get version(): string {
    return version
  }

  /** Process id of the embedded database, for tests that kill it. */
  get databasePid(): number | undefined {
    return this.#database?.pid
  }

  #run(service: { stop(): Promise<void> }): void {
    this.#started.defer(() => service.stop())
  }

  /** Messages are processed only once balances are those of the chain's head. */
  async #followBalances(): Promise<void> {
    const { config, pool, logger } = this.context
    const { processWorker, fetchWorker, registry } = this.#services
    this.#run(processWorker)
    const token = stakingToken(config)
    if (!token) {
      await processWorker.start()
      return
    }
    const reader = createBalanceReader({
      pool,
      logger,
      rpcUrl: token.rpcUrl,
      token,
      onBalancesChanged: () => registry.wake(),
      onProgress: (progress) => this.context.metrics.noteChain(progress),
    })
    this.#run(reader)
    processWorker.useBalances(() => reader.sync())
    fetchWorker.useBalances(() => reader.sync())
    reader.start()
    void this.#processOnceReady(reader)
  }

  async #processOnceReady(reader: { ready(): Promise<void> }): Promise<void> {
    try {
      await reader.ready()
      if (this.#stopping.signal.aborted) return
      this.#services.registry.startComputing()
      await this.#services.processWorker.start()
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.context.logger.error({ err: error }, 'processing does not start')
    }
  }

  #stateIsCurrent(): Promise<void> {
    const { config, profile, inbox } = this.context
    return stateIsCurrent({
      catchUp: this.#services.catchUp,
      expectsPeers: config.p2p.peers.length + profile.bootstrapPeers.length > 0,
      pendingCount: () => inbox.pendingCount,
      signal: this.#stopping.signal,
    })
  }
}

type Services = Awaited<ReturnType<typeof createServices>>

async function createServices(
  context: CoreNodeContext,
  connectionString: string,
  contentFetcher: ContentFetcher | undefined,
) {
  const { config, pool, profile, fileStore, logger, inbox, events, metrics, verifier } = context
  const registry = new Registry(context, { readsChain: stakingToken(config) !== undefined })
  observeRegistry(metrics.registry, registry)
  const scores = new ScoreBook({ pool, profile })
  const rewards = new Rewards({ pool, profile, registry: registry.computed })
  const gossip = await Gossip.create(context, registry, version)
  const bitswap = new Bitswap({
    host: gossip.host,
    catalogue: new BlockCatalogue({ pool, fileStore, logger }),
    logger,
    metrics: metrics.registry,
  })
  const fetcher =
    contentFetcher ??
    PeerContentFetcher.create(context, {
      registry,
      peers: gossip.peers,
      isMember: (peerId) => gossip.isMember(peerId),
      ownUrl: () => gossip.httpUrl,
      bitswap,
      kubo: config.ipfsUrl ? new Kubo({ url: config.ipfsUrl }) : undefined,
    })
  const processWorker = new ProcessWorker({
    tools: {
      pool,
      profile,
      fileStore,
      logger,
      maxRetries: config.maxRetries,
      waitedFor: new Set(),
      stale: { some: true },
    },
    events,
    inbox,
    metrics,
    onRefetch: () => fetchWorker.wake(),
  })
  const fetchWorker = new FetchWorker({
    pool,
    logger,
    events,
    fileStore,
    fetcher,
    inbox,
    verifier,
    maxRetries: config.maxRetries,
    profile,
    metrics: new StoreFetchMetrics(metrics.registry),
    onFetched: () => processWorker.wake(),
  })
  inbox.onConfirmed(() => processWorker.reconsider())
  inbox.onFresh((arrival) => processWorker.takeFresh(arrival))
  inbox.onStored((arrivals) => {
    processWorker.wake(arrivals)
    if (arrivals.some((arrival) => !arrival.fetched)) fetchWorker.wake()
  })
  const placement = Placement.create(context, {
    registry,
    mandate: await createMandate(context, { peerId: gossip.host.peerId.toString() }),
    ...config.placement,
  })
  return {
    owner: new SingleOwner(connectionString),
    reads: new ReadPools({
      connectionString,
      replicaConnectionString: config.databaseReadUrl,
      statementMs: config.limits.queryMs,
      logger,
    }),
    // Nobody else can reach an embedded database.
    processingSide: config.databaseUrl
      ? new ProcessingSide(context, {
          connectionString,
          onArrivals: () => {
            processWorker.wake()
            fetchWorker.wake()
          },
          multiaddrs: () => gossip.multiaddrs,
          placementEvents: placement.history.events,
        })
      : undefined,
    registry,
    scores,
    rewards,
    duties: await Duties.create(context, { registry, scores, rewards, ownUrl: () => gossip.httpUrl }),
    gossip,
    bitswap,
    catchUp: CatchUp.create(context, gossip.host, {
      erased: new ErasedMessages(context, processWorker, (peerId) => gossip.isMember(peerId)),
      periodMs: (config.p2p.reconcileSeconds ?? 30) * 1000,
    }),
    placement,
    outcomes: new Outcomes(events),
    fetcher,
    chainBridge: await ChainBridge.create(context, {
      fetcher,
      onConfirmed: () => processWorker.reconsider(),
    }),
    processWorker,
    fetchWorker,
    removalJobs: new RemovalJobs(context, processWorker),
    garbageCollector: new GarbageCollector(context, processWorker),
  }
}
