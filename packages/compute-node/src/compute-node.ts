import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { loadGuestImages } from '@aleph-ts/guest'
import { type Logger, pino } from 'pino'
import packageJson from '../package.json' with { type: 'json' }
import { AllocationSigners } from './agent/allocations/allocation-signers.ts'
import { PlanFile } from './agent/allocations/plan.ts'
import { Reconciler } from './agent/allocations/reconciler.ts'
import { ReplayGuard } from './agent/allocations/replay-guard.ts'
import { CoreNodes } from './agent/core-nodes/core-nodes.ts'
import { FileStore } from './agent/core-nodes/file-store.ts'
import { MessageSource } from './agent/core-nodes/message-source.ts'
import { EgressProxy } from './agent/egress/egress-proxy.ts'
import { HttpServer } from './agent/http-server.ts'
import { AgentMetrics } from './agent/metrics.ts'
import { CodeImages } from './agent/programs/code-image.ts'
import { ProgramHost } from './agent/programs/program-host.ts'
import { ProgramLoader } from './agent/programs/program-loader.ts'
import { CustomDomains } from './agent/proxy/custom-domains.ts'
import { ProgramProxy } from './agent/proxy/program-proxy.ts'
import type { ComputeNodeConfig } from './config.ts'
import { createHypervisor, type Hypervisor, Supervisor } from './supervisor/index.ts'

/** Parts that tests and embedders may bring themselves. */
export interface ComputeNodeParts {
  logger?: Logger
  hypervisor?: Hypervisor
  customDomains?: CustomDomains
}

/** What a node that runs says of itself; also its ready line. */
export interface ComputeNodeStatus {
  url: string
  nodeHash: string | null
  hypervisor: string
  accelerator: string
  version: string
}

interface Services {
  supervisor: Supervisor
  programs: ProgramHost
  reconciler: Reconciler
  files: FileStore
  codeImages: CodeImages
  egress: EgressProxy
  http: HttpServer
}

/**
 * One compute node: the agent (HTTP, messages, downloads, allocations) over a supervisor that keeps VMs.
 *
 * @example
 * ```ts
 * await using node = await ComputeNode.create(configFromEnvironment(process.env))
 * const { url } = await node.start()
 * ```
 */
export class ComputeNode implements AsyncDisposable {
  readonly #config: ComputeNodeConfig
  readonly #logger: Logger
  readonly #supervisor: Supervisor
  readonly #egress: { proxy: EgressProxy | null }
  readonly #parts: ComputeNodeParts
  #services: Services | null = null

  private constructor(
    config: ComputeNodeConfig,
    logger: Logger,
    supervisor: Supervisor,
    egress: { proxy: EgressProxy | null },
    parts: ComputeNodeParts,
  ) {
    this.#config = config
    this.#logger = logger
    this.#supervisor = supervisor
    this.#egress = egress
    this.#parts = parts
  }

  /** Prepares a node without starting anything. Throws HypervisorError when its guest images are missing. */
  static async create(config: ComputeNodeConfig, parts: ComputeNodeParts = {}): Promise<ComputeNode> {
    const logger = parts.logger ?? pino({ level: config.logLevel }, pino.destination(2))
    const dataDir = join(config.dataDir, 'supervisor')
    await mkdir(dataDir, { recursive: true })
    const hypervisor =
      parts.hypervisor ??
      (await createHypervisor(config.hypervisor, {
        dataDir,
        images: config.hypervisor === 'fake' ? null : await loadGuestImages(config.guestImagesDir),
        log: logger,
      }))
    const egress: { proxy: EgressProxy | null } = { proxy: null }
    const { memoryMiB, vcpus, templateBytes } = config.limits
    const supervisor = await Supervisor.create({
      dataDir,
      hypervisor,
      log: logger,
      templateBudgetBytes: templateBytes,
      capacity: { ...(memoryMiB && { memoryMiB }), ...(vcpus && { vcpus }) },
      onEgress: (vmId, stream) => (egress.proxy ? egress.proxy.handle(vmId, stream) : stream.destroy()),
    })
    return new ComputeNode(config, logger, supervisor, egress, parts)
  }

  /** Takes over VMs of an earlier run, goes on with the stored plan, and listens. */
  async start(): Promise<ComputeNodeStatus> {
    if (this.#services) throw new Error('This node was started before; create another one')
    await this.#supervisor.start()
    const services = await this.#assemble()
    this.#services = services
    await services.files.start()
    await services.codeImages.start()
    await services.reconciler.start()
    services.programs.start()
    const url = await services.http.start()
    const status = { url, ...this.#identity() }
    this.#logger.info(status, 'compute node is ready')
    return status
  }

  /**
   * Stops listening once the calls under way have ended or `drainTimeoutMs` is over. On-demand VMs stop;
   * persistent ones run on for the next start, unless `stopVms` (default: the config's `stopVmsOnExit`).
   */
  async stop(stopVms = this.#config.stopVmsOnExit): Promise<void> {
    const services = this.#services
    if (!services) return
    this.#services = null
    const { http, reconciler, programs, egress, supervisor } = services
    await http.stop(this.#config.drainTimeoutMs)
    const reconciled = reconciler.stop()
    programs.close()
    if (stopVms) await supervisor.stopAll()
    else {
      const stopping = supervisor
        .list()
        .filter(({ id, state }) => isAlive(state) && !reconciler.isPlanned(id))
      await Promise.all(stopping.map(({ id }) => supervisor.stop(id)))
      await supervisor.detach()
    }
    await reconciled
    egress.close()
    this.#logger.info('compute node has stopped')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #assemble(): Promise<Services> {
    const config = this.#config
    const logger = this.#logger
    const supervisor = this.#supervisor
    const metrics = new AgentMetrics(supervisor)
    const egress = new EgressProxy({ logger, metrics })
    this.#egress.proxy = egress
    const cache = join(config.dataDir, 'cache')
    const state = join(config.dataDir, 'state')
    await mkdir(state, { recursive: true, mode: 0o700 })

    const coreNodes = new CoreNodes({ servers: config.apiServers, logger })
    const messages = new MessageSource({
      coreNodes,
      cacheDir: join(cache, 'messages'),
      logger,
      onGone: (hash) => programs.onGone(hash),
    })
    const files = new FileStore({
      coreNodes,
      dir: join(cache, 'files'),
      budgetBytes: config.limits.cacheBytes,
      logger,
      inUse: () => programs.filesInUse(),
      onDownloaded: (bytes) => metrics.downloadedBytes.inc(bytes),
    })
    const codeImages = new CodeImages({
      dir: join(cache, 'code'),
      budgetBytes: config.limits.cacheBytes,
      archiveLimits: config.limits.archive,
      inUse: () => programs.imagesInUse(),
    })
    const loader = new ProgramLoader({
      messages,
      files,
      codeImages,
      limits: {
        maxArchiveBytes: config.limits.archiveBytes,
        maxCodeImageBytes: config.limits.codeImageBytes,
        maxRuntimeBytes: config.limits.runtimeBytes,
        maxSeconds: config.limits.programSeconds,
      },
    })
    const programs: ProgramHost = new ProgramHost({
      loader,
      vms: supervisor,
      isPlanned: (hash) => reconciler.isPlanned(hash),
      reuseTimeoutMs: config.reuseTimeoutMs,
      metrics,
      logger,
    })
    const planFile = new PlanFile(join(state, 'plan.json'))
    const reconciler: Reconciler = new Reconciler({ programs, vms: supervisor, planFile, logger })
    const serverHeader = `aleph-vm/${packageJson.version}`
    const http = await HttpServer.create({
      host: config.host,
      port: config.port,
      domainName: config.domainName,
      serverHeader,
      proxy: new ProgramProxy({ programs, vms: supervisor, metrics, logger, serverHeader }),
      customDomains: this.#parts.customDomains ?? new CustomDomains(),
      about: { facts: this.#facts(), vms: supervisor, reconciler, metrics, dataDir: config.dataDir },
      allocations: {
        signers: new AllocationSigners({
          messages,
          profile: config.profile,
          override: config.allocationSigners,
          nodeHash: config.nodeHash,
          logger,
        }),
        replays: await ReplayGuard.create(join(state, 'accepted-allocations.json')),
        reconciler,
        waitMs: config.allocationWaitMs,
      },
      machines: { vms: supervisor, programs, reconciler, messages, domainName: config.domainName },
      logger,
    })
    return { supervisor, programs, reconciler, files, codeImages, egress, http }
  }

  #facts() {
    const { nodeHash, ownerAddress, domainName, apiServers, profile, reuseTimeoutMs } = this.#config
    const { version } = packageJson
    const reuseTimeoutSeconds = reuseTimeoutMs / 1000
    return {
      version,
      nodeHash,
      ownerAddress,
      domainName,
      apiServers,
      network: profile.name,
      reuseTimeoutSeconds,
    }
  }

  #identity() {
    const { hypervisor, accelerator } = this.#supervisor.capabilities
    return { nodeHash: this.#config.nodeHash, hypervisor, accelerator, version: packageJson.version }
  }
}

function isAlive(state: string): boolean {
  return state === 'running' || state === 'booting' || state === 'defined'
}
