import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { loadGuestImages } from '@aleph-ts/guest'
import { type Logger, pino } from 'pino'
import packageJson from '../package.json' with { type: 'json' }
import type { ComputeNodeConfig } from './config.ts'
import { openNetwork, type TapNetwork } from './network/index.ts'
import { assembleServices, type Services } from './services.ts'
import { createHypervisor, type GuestService, type Hypervisor, Supervisor } from './supervisor/index.ts'

/** Parts that tests and embedders may bring themselves. */
export interface ComputeNodeParts {
  logger?: Logger
  hypervisor?: Hypervisor
  /** Asks the DNS for TXT records of custom domains; default: the system's resolvers. */
  resolveTxt?: (name: string) => Promise<string[][]>
  /** Root of the kernel's device tree; default `/sys`. */
  sysfs?: string
}

/** What a node that runs says of itself; also its ready line. */
export interface ComputeNodeStatus {
  url: string
  nodeHash: string | null
  hypervisor: string
  accelerator: string
  version: string
}

/** Who takes the streams guests open; there is nobody before the node starts. */
type GuestServices = Partial<Record<GuestService, { handle(vmId: string, stream: Duplex): void }>>

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
  readonly #network: TapNetwork | null
  readonly #guests: GuestServices
  readonly #parts: ComputeNodeParts
  #services: Services | null = null

  private constructor(
    config: ComputeNodeConfig,
    logger: Logger,
    supervisor: Supervisor,
    network: TapNetwork | null,
    guests: GuestServices,
    parts: ComputeNodeParts,
  ) {
    this.#config = config
    this.#logger = logger
    this.#supervisor = supervisor
    this.#network = network
    this.#guests = guests
    this.#parts = parts
  }

  /**
   * Prepares a node without starting anything. Throws HypervisorError when its guest images are missing, and
   * NetworkError when it wants taps and there are none.
   */
  static async create(config: ComputeNodeConfig, parts: ComputeNodeParts = {}): Promise<ComputeNode> {
    const logger = parts.logger ?? pino({ level: config.logLevel }, pino.destination(2))
    const dataDir = join(config.dataDir, 'supervisor')
    await mkdir(dataDir, { recursive: true })
    const hypervisor =
      parts.hypervisor ??
      (await createHypervisor(config.hypervisor, {
        dataDir,
        images:
          config.hypervisor === 'fake'
            ? null
            : await loadGuestImages(config.guestImagesDir, config.guestKernel),
        cgroup: config.cgroup,
        diskLimits: config.limits.disk,
        spareProcesses: config.limits.spareProcesses,
        log: logger,
      }))
    const network = await openNetwork(
      config.network.mode,
      { ...config.network, ipv6Pool: config.ipv6Pool },
      logger,
    )
    const guests: GuestServices = {}
    const { memoryMiB, vcpus, templateBytes, standbys, programStartMs } = config.limits
    const supervisor = await Supervisor.create({
      dataDir,
      hypervisor,
      network,
      log: logger,
      templateBudgetBytes: templateBytes,
      ...(standbys !== null && { standbys }),
      limits: { programMs: programStartMs },
      capacity: { ...(memoryMiB && { memoryMiB }), ...(vcpus && { vcpus }) },
      onGuestStream: (vmId, service, stream) => {
        const handler = guests[service]
        if (handler) handler.handle(vmId, stream)
        else stream.destroy()
      },
    })
    return new ComputeNode(config, logger, supervisor, network, guests, parts)
  }

  /** Takes over VMs of an earlier run, goes on with the stored plan, and listens. */
  async start(): Promise<ComputeNodeStatus> {
    if (this.#services) throw new Error('This node was started before; create another one')
    await this.#supervisor.start()
    const { resolveTxt, sysfs } = this.#parts
    const services = await assembleServices({
      config: this.#config,
      supervisor: this.#supervisor,
      network: this.#network,
      logger: this.#logger,
      ...(resolveTxt && { resolveTxt }),
      ...(sysfs && { sysfs }),
    })
    this.#services = services
    this.#guests.egress = services.egress
    this.#guests.api = services.guestApi
    for (const store of services.stores) await store.start()
    await services.reconciler.start()
    services.programs.start()
    for (const listener of services.listeners) listener.start()
    await services.expiries.start()
    for (const work of services.repeated) work.start()
    const tlsPort = await services.tls?.start()
    const sshPort = await services.ssh?.start()
    const url = await services.http.start()
    const status = { url, ...this.#identity() }
    this.#logger.info({ ...status, tlsPort, sshPort }, 'compute node is ready')
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
    const { http, reconciler, programs, egress, guestApi, supervisor } = services
    await http.stop(this.#config.drainTimeoutMs)
    await services.tls?.stop()
    await services.ssh?.stop()
    services.expiries.stop()
    for (const listener of services.listeners) listener.stop()
    await Promise.all(services.repeated.map((work) => work.stop()))
    const reconciled = reconciler.stop()
    programs.close()
    if (stopVms) await supervisor.stopAll()
    else {
      const stopping = supervisor
        .list()
        .filter(({ id, state }) => isAlive(state) && !reconciler.isPlanned(id))
      const replicas = supervisor.replicas()
      await Promise.all([
        ...stopping.map(({ id }) => supervisor.stop(id)),
        ...replicas.map(({ id }) => supervisor.destroy(id)),
      ])
      await supervisor.detach()
    }
    await reconciled
    egress.close()
    guestApi.close()
    this.#logger.info('compute node has stopped')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #identity() {
    const { hypervisor, accelerator } = this.#supervisor.capabilities
    return { nodeHash: this.#config.nodeHash, hypervisor, accelerator, version: packageJson.version }
  }
}

function isAlive(state: string): boolean {
  return state === 'running' || state === 'booting' || state === 'defined'
}
