import type { Logger } from 'pino'
import type { Reconciler } from './agent/allocations/reconciler.ts'
import type { MessageSource } from './agent/core-nodes/message-source.ts'
import type { NodeIdentity } from './agent/core-nodes/node-identity.ts'
import type { InstanceHost } from './agent/instances/instance-host.ts'
import { refreshAllPorts } from './agent/instances/port-refresh.ts'
import { PaymentMonitor } from './agent/payment/payment-monitor.ts'
import type { Payments } from './agent/payment/payments.ts'
import { RepeatedWork } from './agent/repeated-work.ts'
import type { VmHost } from './agent/vm-host.ts'
import { ForgottenDisks } from './agent/volumes/forgotten-disks.ts'
import type { VolumeStore } from './agent/volumes/volume-store.ts'
import type { Workloads } from './agent/workloads.ts'
import type { ComputeNodeConfig } from './config.ts'

/** Between two looks at which ports owners want forwarded. */
const PORTS_MS = 60_000
/** Between two looks for disks that nobody can use any more. */
const DISK_SWEEP_MS = 600_000
/** Between two looks for the registration of this node. */
const IDENTITY_MS = 300_000

export interface BackgroundWorkParts {
  config: Pick<ComputeNodeConfig, 'paymentIntervalMs'>
  vms: VmHost
  instances: InstanceHost
  payments: Payments
  messages: MessageSource
  reconciler: Reconciler
  workloads: Workloads
  volumes: VolumeStore
  identity: NodeIdentity
  logger: Logger
}

/** What a node does again and again, whoever calls it or not (protocol 05 §17.1). */
export function backgroundWork(parts: BackgroundWorkParts): RepeatedWork[] {
  const { config, vms, instances, payments, messages, reconciler, workloads, volumes, identity, logger } =
    parts
  const monitor = new PaymentMonitor({ payments, messages, reconciler, workloads, logger })
  const paymentChecks = new RepeatedWork({
    work: () => monitor.check(),
    pauseMs: config.paymentIntervalMs,
    onError: (error) => logger.error({ err: error }, 'payment check failed'),
  })
  const portRefresh = new RepeatedWork({
    work: (stopping) =>
      refreshAllPorts({ vms, refresh: (hash) => instances.refreshPorts(hash), logger }, stopping),
    pauseMs: PORTS_MS,
    onError: (error) => logger.error({ err: error }, 'ports were not looked at'),
  })
  const forgottenDisks = new ForgottenDisks({
    volumes,
    vms,
    messages,
    workloads,
    isPlanned: (hash) => reconciler.isPlanned(hash),
    logger,
  })
  const diskSweep = new RepeatedWork({
    work: (stopping) => forgottenDisks.check(stopping),
    pauseMs: DISK_SWEEP_MS,
    onError: (error) => logger.error({ err: error }, 'disks of forgotten VMs were not deleted'),
  })
  const identitySearch = new RepeatedWork({
    work: () => identity.look(),
    pauseMs: IDENTITY_MS,
    onError: (error) => logger.warn({ err: error }, 'cannot look for the registration of this node'),
  })
  return [paymentChecks, portRefresh, diskSweep, identitySearch]
}
