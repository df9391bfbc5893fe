import { statfs } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { Confidential } from '../confidential/confidential.ts'
import type { Gpus } from '../gpu/gpus.ts'
import type { AgentMetrics } from '../metrics.ts'
import type { VmHost } from '../vm-host.ts'
import { allExecutions, executionRecords, runningExecutions } from './executions.ts'
import { indexPage } from './index-page.ts'
import type { NodeFacts } from './node-facts.ts'
import { capability, systemUsage } from './system-usage.ts'

export interface AboutRoutesOptions {
  facts: NodeFacts
  vms: VmHost
  reconciler: Reconciler
  metrics: AgentMetrics
  gpus: Gpus
  confidential: Confidential
  dataDir: string
  /** Bytes of disks that are promised and not written yet. */
  promisedBytes: () => Promise<number>
}

/** Everything the node says of itself, open to all (protocol 05 §16). */
export async function aboutRoutes(app: FastifyInstance, options: AboutRoutesOptions): Promise<void> {
  const { facts, vms, reconciler, metrics, dataDir, confidential } = options
  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(indexPage(facts, vms)))
  app.get('/about/usage/system', () => systemUsage(options))
  app.get('/about/capability', () => capability())
  app.get('/about/executions/list', async () => runningExecutions(vms, reconciler, facts))
  app.get('/v2/about/executions/list', async () => allExecutions(vms, reconciler, facts))
  app.get('/about/executions/records', async () => executionRecords(vms))
  app.get('/about/certificates', async (_request, reply) =>
    reply.type('application/octet-stream').send(confidential.certificates),
  )
  app.get('/status/config', async () => ({
    ...statusConfig(facts, vms, confidential),
    capacity: await workloadCapacity(vms, dataDir),
  }))
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  )
}

/** What all VMs together may use: schedulers fill a node up to this (protocol 06 §8.1). */
async function workloadCapacity({ capacity: { budget } }: VmHost, dataDir: string) {
  const disk = await statfs(dataDir)
  // Programs and instances share one budget here, schedulers count them apart.
  const half = Math.floor(budget.memoryMiB / 2)
  return {
    vcpus: budget.vcpus,
    instance_memory_mib: budget.memoryMiB - half,
    program_memory_mib: half,
    disk_mib: Math.floor((disk.blocks * disk.bsize) / 2 ** 20),
  }
}

/** `GET /status/config` with the keys clients of the network read, and how this node runs its VMs. */
function statusConfig(facts: NodeFacts, vms: VmHost, confidential: Confidential) {
  const { hypervisor, accelerator, version, acceleratorReason } = vms.capabilities
  return {
    DOMAIN_NAME: facts.domainName,
    node_hash: facts.nodeHash,
    owner_address: facts.ownerAddress || null,
    version: facts.version,
    network: facts.network,
    references: {
      API_SERVER: facts.apiServers[0] ?? null,
      API_SERVERS: facts.apiServers,
      CHECK_FASTAPI_VM_ID: facts.checkProgram,
      CONNECTOR_URL: null,
    },
    security: {
      USE_JAILER: true,
      PRINT_SYSTEM_LOGS: true,
      WATCH_FOR_UPDATES: true,
      ALLOW_VM_NETWORKING: true,
      USE_DEVELOPER_SSH_KEYS: false,
    },
    networking: {
      IPV6_ADDRESS_POOL: facts.ipv6Pool,
      IPV6_ALLOCATION_POLICY: 'static',
      IPV6_SUBNET_PREFIX: 124,
      IPV6_FORWARDING_ENABLED: facts.taps,
      USE_NDP_PROXY: facts.taps && facts.ndpProxy,
    },
    debug: { SENTRY_DSN_CONFIGURED: false, DEBUG_ASYNCIO: false, EXECUTION_LOG_ENABLED: false },
    payment: {
      PAYMENT_RECEIVER_ADDRESS: facts.paymentReceiver,
      AVAILABLE_PAYMENTS: Object.fromEntries(facts.streams.map((stream) => [stream.chain, payable(stream)])),
      PAYMENT_MONITOR_INTERVAL: facts.paymentIntervalSeconds,
    },
    computing: {
      ENABLE_QEMU_SUPPORT: hypervisor !== 'fake',
      INSTANCE_DEFAULT_HYPERVISOR: 'qemu',
      ENABLE_CONFIDENTIAL_COMPUTING: confidential.isAvailable,
      ENABLE_GPU_SUPPORT: facts.gpuSupport,
      INSTANCES: true,
      REUSE_TIMEOUT: facts.reuseTimeoutSeconds,
      hypervisor: { name: hypervisor, version, accelerator, reason: acceleratorReason ?? null },
    },
    api: { allocations: 2 },
  }
}

/** The address of the chain's node stays untold: it may hold an API key. */
function payable({ evmChainId, superToken, active }: NodeFacts['streams'][number]) {
  return {
    chain_id: evmChainId,
    rpc: null,
    standard_token: null,
    super_token: superToken,
    testnet: false,
    active,
  }
}
