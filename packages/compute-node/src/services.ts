import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseVmHostLabel } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import { Admission } from './agent/allocations/admission.ts'
import { PlanFile } from './agent/allocations/plan.ts'
import { isAlive, Reconciler } from './agent/allocations/reconciler.ts'
import { Confidential } from './agent/confidential/confidential.ts'
import { Sessions } from './agent/confidential/sessions.ts'
import { Expiries } from './agent/control/expiries.ts'
import { CoreNodes } from './agent/core-nodes/core-nodes.ts'
import { FileStore } from './agent/core-nodes/file-store.ts'
import { MessageSource } from './agent/core-nodes/message-source.ts'
import { NetworkSettings } from './agent/core-nodes/network-settings.ts'
import { NodeIdentity } from './agent/core-nodes/node-identity.ts'
import { EgressProxy } from './agent/egress/egress-proxy.ts'
import { Gpus } from './agent/gpu/gpus.ts'
import { GuestApi } from './agent/guest-api/guest-api.ts'
import { loadNodeKey } from './agent/guest-api/node-key.ts'
import { ProgramCache } from './agent/guest-api/program-cache.ts'
import type { HttpServer } from './agent/http-server.ts'
import { Backups } from './agent/instances/backups.ts'
import { InstanceHost } from './agent/instances/instance-host.ts'
import { InstanceLoader } from './agent/instances/instance-loader.ts'
import { InstanceWeb } from './agent/instances/instance-web.ts'
import { ParentImages } from './agent/instances/parent-images.ts'
import { PortStore } from './agent/instances/port-store.ts'
import { RescueDisks } from './agent/instances/rescue-disks.ts'
import { Rescues } from './agent/instances/rescues.ts'
import { AgentMetrics } from './agent/metrics.ts'
import { Exports } from './agent/migration/exports.ts'
import { Imports } from './agent/migration/imports.ts'
import { paymentAccounts } from './agent/payment/payment-account.ts'
import { Payments } from './agent/payment/payments.ts'
import { Streams } from './agent/payment/streams.ts'
import { CodeImages } from './agent/programs/code-image.ts'
import { ProgramHost } from './agent/programs/program-host.ts'
import { ProgramLoader } from './agent/programs/program-loader.ts'
import { CustomDomains } from './agent/proxy/custom-domains.ts'
import { SshByName } from './agent/proxy/ssh-by-name.ts'
import { TlsPassthrough } from './agent/proxy/tls-passthrough.ts'
import type { RepeatedWork } from './agent/repeated-work.ts'
import { VolumeStore } from './agent/volumes/volume-store.ts'
import { Workloads } from './agent/workloads.ts'
import { backgroundWork } from './background-work.ts'
import type { ComputeNodeConfig } from './config.ts'
import { createHttpServer } from './create-http-server.ts'
import { type MessageListener, messageListeners } from './message-listeners.ts'
import { TapLinks, type TapNetwork } from './network/index.ts'
import type { Supervisor } from './supervisor/index.ts'

/** Where instances end TLS of their domains, and where they take ssh. */
const TLS_PORT = 443
const SSH_PORT = 22

/** The parts of a node that have a life of their own. */
export interface Services {
  supervisor: Supervisor
  programs: ProgramHost
  /** What follows the messages of the network. */
  listeners: MessageListener[]
  reconciler: Reconciler
  expiries: Expiries
  /** What is done again and again while the node runs. */
  repeated: RepeatedWork[]
  /** Everything that must look at the disk or the host before use. */
  stores: { start(): Promise<void> }[]
  egress: EgressProxy
  guestApi: GuestApi
  /** Null: TLS is none of this node's. */
  tls: TlsPassthrough | null
  /** Null: ssh is not taken by name. */
  ssh: SshByName | null
  http: HttpServer
}

export interface ServiceParts {
  config: ComputeNodeConfig
  supervisor: Supervisor
  /** Null: instances have networks of their hypervisor's making. */
  network: TapNetwork | null
  /** Asks the DNS for TXT records; default: the system's resolvers. */
  resolveTxt?: (name: string) => Promise<string[][]>
  /** Root of the kernel's device tree; default `/sys`. */
  sysfs?: string
  logger: Logger
}

/** Puts the parts of one node together; nothing runs yet. */
export async function assembleServices(parts: ServiceParts): Promise<Services> {
  const { config, supervisor, network, logger } = parts
  const { domainName, dataDir, limits } = config
  const cache = join(dataDir, 'cache')
  const state = join(dataDir, 'state')
  await mkdir(state, { recursive: true, mode: 0o700 })

  const metrics = new AgentMetrics(supervisor)
  const egress = new EgressProxy({ logger, metrics })
  const coreNodes = new CoreNodes({ servers: config.apiServers, logger })
  const messages = new MessageSource({
    coreNodes,
    cacheDir: join(cache, 'messages'),
    // Younger than the interval, or every second look would be answered from memory.
    latestFreshMs: config.updateIntervalMs / 2,
    logger,
    onGone: (hash) => programs.onGone(hash),
  })
  const settings = new NetworkSettings(messages, config.profile)
  const identity = new NodeIdentity({
    configured: config.nodeHash,
    ownerAddress: config.ownerAddress,
    domainName,
    messages,
    profile: config.profile,
    path: join(state, 'node-hash.json'),
    logger,
  })
  const files = new FileStore({
    coreNodes,
    dir: join(cache, 'files'),
    budgetBytes: limits.cacheBytes,
    logger,
    inUse: () => programs.filesInUse(),
    onDownloaded: (bytes) => metrics.downloadedBytes.inc(bytes),
  })
  const codeImages = new CodeImages({
    dir: join(cache, 'code'),
    budgetBytes: limits.cacheBytes,
    archiveLimits: limits.archive,
    inUse: () => programs.imagesInUse(),
  })
  const volumes = new VolumeStore(join(dataDir, 'volumes'))
  const loader = new ProgramLoader({
    messages,
    files,
    codeImages,
    volumes,
    limits: {
      maxArchiveBytes: limits.archiveBytes,
      maxCodeImageBytes: limits.codeImageBytes,
      maxRuntimeBytes: limits.runtimeBytes,
      maxSeconds: limits.programSeconds,
    },
  })
  const programCache = new ProgramCache()
  const programs: ProgramHost = new ProgramHost({
    loader,
    vms: supervisor,
    volumes,
    cache: programCache,
    isPlanned: (hash) => reconciler.isPlanned(hash),
    reuseTimeoutMs: config.reuseTimeoutMs,
    scaling: {
      ...config.scaling,
      idleMs: Math.min(config.scaling.idleMs, Math.max(0, config.reuseTimeoutMs)),
    },
    updateIntervalMs: config.updateIntervalMs,
    drainMs: config.drainTimeoutMs,
    metrics,
    logger,
  })
  const parents = new ParentImages(join(dataDir, 'parents'))
  const forwardHost = config.forwardHost ?? network?.hostIpv4 ?? '127.0.0.1'
  const ports = new PortStore(join(state, 'ports.json'), forwardHost)
  const links =
    network && new TapLinks(join(state, 'links.json'), { ...config.network, ipv6Pool: config.ipv6Pool })
  const rescueDisks = new RescueDisks({
    messages,
    files,
    parents,
    volumes,
    maxImageBytes: limits.instanceImageBytes,
  })
  const sessions = new Sessions(join(state, 'sessions'))
  const confidential = new Confidential({
    enabled: config.confidentialComputing,
    support: () => supervisor.confidential(parts.sysfs ?? '/sys'),
    sessions,
    messages,
    files,
    defaultFirmware: config.confidentialFirmware,
    certificates: config.confidentialCertificates,
    vms: supervisor,
    logger,
  })
  const instanceLoader = new InstanceLoader({
    messages,
    files,
    parents,
    volumes,
    rescues: rescueDisks,
    confidential,
    limits: { maxImageBytes: limits.instanceImageBytes, maxVolumeBytes: limits.codeImageBytes },
    outbound: config.instanceOutbound,
    links,
    nameservers: config.network.nameservers,
    forwardHost,
  })
  const backups = new Backups({ dir: join(dataDir, 'backups'), vms: supervisor, volumes, logger })
  const gpus = new Gpus({
    enabled: config.gpuSupport,
    sysfs: parts.sysfs ?? '/sys',
    settings,
    vms: supervisor,
  })
  const instances = new InstanceHost({
    backups,
    gpus,
    sessions,
    loader: instanceLoader,
    vms: supervisor,
    ports,
    links,
    volumes,
    parents,
    messages,
    isAway: (hash) => exports.isAway(hash),
    logger,
  })
  const payments: Payments = new Payments({
    coreNodes,
    streams: new Streams({
      networks: config.profile.streams,
      receiver: config.paymentReceiver,
      rpcUrls: config.evmRpcUrls,
      settings,
    }),
    accounts: () => paymentAccounts(reconciler, messages),
  })
  const web = new InstanceWeb(supervisor, forwardHost)
  const workloads: Workloads = new Workloads({
    messages,
    programs,
    instances,
    async assertPaid(hash) {
      if (config.paymentIntervalMs > 0) await payments.assertCovered(hash)
    },
  })
  const reconciler: Reconciler = new Reconciler({
    workloads,
    prefetch: (hash) => programs.prefetch(hash),
    vms: supervisor,
    planFile: new PlanFile(join(state, 'plan.json')),
    logger,
  })
  const exports: Exports = new Exports({
    dir: join(dataDir, 'exports'),
    vms: supervisor,
    volumes,
    workloads,
    release: (hash) => reconciler.release(hash),
    resume: (hash) => reconciler.resume(hash),
    logger,
  })
  const rescues = new Rescues({
    disks: rescueDisks,
    workloads,
    release: (hash) => reconciler.release(hash),
    resume: (hash) => reconciler.resume(hash),
    defaultImage: config.rescueImage,
    logger,
  })
  const guestApi = new GuestApi({
    cache: programCache,
    key: await loadNodeKey(join(state, 'node-key')),
    coreNodes,
    logger,
  })
  const expiries = new Expiries({
    path: join(state, 'expiries.json'),
    async end(hash) {
      await reconciler.dismiss(hash)
      await workloads.stop(hash)
    },
    logger,
  })
  const promisedBytes = () => volumes.promisedBytes()
  const admission = new Admission({ vms: supervisor, dataDir, promisedBytes })
  const imports = new Imports({
    dir: join(dataDir, 'imports'),
    vms: supervisor,
    volumes,
    loader: instanceLoader,
    admission,
    workloads,
    isHere: (hash) => reconciler.isPlanned(hash) || isAlive(supervisor.get(hash)?.state),
    logger,
  })
  const customDomains = new CustomDomains({
    domainsOf: (owner) => messages.aggregate(owner, 'domains'),
    ...(parts.resolveTxt && { resolveTxt: parts.resolveTxt }),
  })
  const listeners = messageListeners({
    coreNodes,
    messages,
    programs,
    loader,
    instances,
    customDomains,
    reconciler,
    vms: supervisor,
    metrics,
    logger,
  })
  const tls =
    config.tls &&
    new TlsPassthrough({
      ...config.tls,
      async placeOf(name) {
        const hash = await customDomains.lookup(name)
        return hash === null ? null : web.placeOf(hash, TLS_PORT)
      },
      logger,
    })
  const ssh =
    config.ssh &&
    new SshByName({
      listen: config.ssh.listen,
      certificate: await readFile(config.ssh.certificatePath, 'utf8'),
      key: await readFile(config.ssh.keyPath, 'utf8'),
      async placeOf(name) {
        const hash = parseVmHostLabel(name.split('.', 1)[0] ?? '') ?? (await customDomains.lookup(name))
        return hash === null ? null : web.placeOf(hash, SSH_PORT)
      },
      logger,
    })
  const http = await createHttpServer({
    config,
    state,
    forwardHost,
    network,
    customDomains,
    web,
    messages,
    settings,
    identity,
    supervisor,
    programs,
    instances,
    instanceLoader,
    volumes,
    files,
    reconciler,
    workloads,
    admission,
    payments,
    promisedBytes,
    gpus,
    confidential,
    sessions,
    expiries,
    backups,
    rescues,
    exports,
    imports,
    metrics,
    logger,
  })
  const repeated = backgroundWork({
    config,
    vms: supervisor,
    instances,
    payments,
    messages,
    reconciler,
    workloads,
    volumes,
    identity,
    logger,
  })
  const stores = [
    identity,
    files,
    codeImages,
    volumes,
    parents,
    ports,
    ...(links ? [links] : []),
    backups,
    exports,
    imports,
    gpus,
    sessions,
    confidential,
  ]
  return {
    supervisor,
    programs,
    listeners,
    reconciler,
    expiries,
    repeated,
    stores,
    egress,
    guestApi,
    tls,
    ssh,
    http,
  }
}
