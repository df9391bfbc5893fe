import { join } from 'node:path'
import type { Logger } from 'pino'
import packageJson from '../package.json' with { type: 'json' }
import { LoginToken } from './agent/about/login-token.ts'
import { nodeFacts } from './agent/about/node-facts.ts'
import type { Admission } from './agent/allocations/admission.ts'
import { AllocationSigners } from './agent/allocations/allocation-signers.ts'
import { PlanAssessment } from './agent/allocations/plan-assessment.ts'
import type { Reconciler } from './agent/allocations/reconciler.ts'
import { ReplayGuard } from './agent/allocations/replay-guard.ts'
import { SchedulerAuth } from './agent/allocations/scheduler-auth.ts'
import type { Confidential } from './agent/confidential/confidential.ts'
import type { Sessions } from './agent/confidential/sessions.ts'
import type { Expiries } from './agent/control/expiries.ts'
import { LogStreams } from './agent/control/log-streams.ts'
import { Nonces } from './agent/control/nonces.ts'
import type { FileStore } from './agent/core-nodes/file-store.ts'
import type { MessageSource } from './agent/core-nodes/message-source.ts'
import type { NetworkSettings } from './agent/core-nodes/network-settings.ts'
import type { NodeIdentity } from './agent/core-nodes/node-identity.ts'
import type { Gpus } from './agent/gpu/gpus.ts'
import { HttpServer } from './agent/http-server.ts'
import type { Backups } from './agent/instances/backups.ts'
import type { InstanceHost } from './agent/instances/instance-host.ts'
import type { InstanceLoader } from './agent/instances/instance-loader.ts'
import type { InstanceWeb } from './agent/instances/instance-web.ts'
import type { Rescues } from './agent/instances/rescues.ts'
import type { AgentMetrics } from './agent/metrics.ts'
import type { Exports } from './agent/migration/exports.ts'
import type { Imports } from './agent/migration/imports.ts'
import type { Payments } from './agent/payment/payments.ts'
import type { ProgramHost } from './agent/programs/program-host.ts'
import type { CustomDomains } from './agent/proxy/custom-domains.ts'
import { ProgramProxy } from './agent/proxy/program-proxy.ts'
import type { VolumeStore } from './agent/volumes/volume-store.ts'
import type { Workloads } from './agent/workloads.ts'
import { type ComputeNodeConfig, publicSettings } from './config.ts'
import type { TapNetwork } from './network/index.ts'
import type { Supervisor } from './supervisor/index.ts'

/** Everything that answers requests, or is asked for an answer. */
export interface HttpServerParts {
  config: ComputeNodeConfig
  /** Folder of what the node keeps of itself. */
  state: string
  /** Where forwarded ports of instances listen. */
  forwardHost: string
  /** Null: instances have networks of their hypervisor's making. */
  network: TapNetwork | null
  customDomains: CustomDomains
  web: InstanceWeb
  messages: MessageSource
  settings: NetworkSettings
  identity: NodeIdentity
  supervisor: Supervisor
  programs: ProgramHost
  instances: InstanceHost
  instanceLoader: InstanceLoader
  volumes: VolumeStore
  files: FileStore
  reconciler: Reconciler
  workloads: Workloads
  admission: Admission
  payments: Payments
  promisedBytes: () => Promise<number>
  gpus: Gpus
  confidential: Confidential
  sessions: Sessions
  expiries: Expiries
  backups: Backups
  rescues: Rescues
  exports: Exports
  imports: Imports
  metrics: AgentMetrics
  logger: Logger
}

/** The node's HTTP server with all its doors; it listens when it is started. */
export async function createHttpServer(parts: HttpServerParts): Promise<HttpServer> {
  const {
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
  } = parts
  const { domainName, dataDir } = config
  const access = {
    messages,
    isKnown: (hash: string) => supervisor.get(hash) !== undefined || reconciler.isPlanned(hash),
    domainName,
    nonces: new Nonces(),
  }
  const scheduler = new SchedulerAuth({
    signers: new AllocationSigners({
      messages,
      settings,
      profile: config.profile,
      override: config.allocationSigners,
      identity,
      logger,
    }),
    replays: await ReplayGuard.create(join(state, 'accepted-allocations.json')),
    tokenHash: config.allocationTokenHash,
  })
  const facts = nodeFacts(config, identity, forwardHost, network !== null)
  const serverHeader = `aleph-vm/${packageJson.version}`
  const http: HttpServer = await HttpServer.create({
    host: config.host,
    port: config.port,
    domainName,
    serverHeader,
    proxy: new ProgramProxy({
      acquire: async (hash) => (web.has(hash) ? web.acquire(hash) : programs.acquire(hash)),
      vms: supervisor,
      metrics,
      logger,
      serverHeader,
    }),
    customDomains,
    about: { facts, vms: supervisor, reconciler, metrics, gpus, confidential, dataDir, promisedBytes },
    admin: { scheduler, network, customDomains, vms: supervisor },
    debugProxy: { customDomains, web },
    debug: {
      token: await LoginToken.create(join(state, 'login_token')),
      facts,
      vms: supervisor,
      reconciler,
      settings: publicSettings(config),
    },
    status: {
      domainName,
      version: packageJson.version,
      ownUrl: () => http.url,
      checkProgram: config.checkProgram,
      legacyCheckProgram: config.legacyCheckProgram,
    },
    allocations: {
      scheduler,
      reconciler,
      assessment: new PlanAssessment({ messages, admission, reconciler, gpus, confidential, identity }),
      waitMs: config.allocationWaitMs,
    },
    notify: {
      messages,
      admission,
      payments,
      gpus,
      reconciler,
      vms: supervisor,
      identity,
      domainName,
      nonces: access.nonces,
      refreshNetwork: (hash) => instances.refreshPorts(hash, 0),
      waitMs: config.allocationWaitMs,
    },
    machines: {
      ...access,
      vms: supervisor,
      workloads,
      programs,
      reconciler,
      expiries,
      backups,
      rescues,
      sessions,
      instances: instanceLoader,
      restore: { loader: instanceLoader, volumes, files, messages, instances },
    },
    migration: {
      scheduler,
      exports,
      imports,
      isKnown: access.isKnown,
      allowPrivateSources: config.migrateFromPrivate,
    },
    logStreams: new LogStreams({ ...access, vms: supervisor, logger }),
    logger,
  })
  return http
}
