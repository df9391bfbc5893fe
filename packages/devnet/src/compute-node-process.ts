import { join } from 'node:path'
import { ServiceProcess } from './process/service-process.ts'

export interface ComputeNodeSettings {
  name: string
  dataDir: string
  logFile: string
  port: number
  /** URLs of core nodes; its own first. */
  coreNodeUrls: string[]
  /** Item hash of its registration. */
  nodeHash: string
  ownerAddress: string
  guestImagesDir: string
  guestKernel: string
  profile: string
  /** Where the streams of the network's chain are read. */
  ethereumRpc?: string
  /** Seconds an on-demand program stays up without a request. */
  reuseTimeoutSeconds?: number
}

/** What a compute node says of itself once it serves. */
export interface ComputeNodeReady {
  ready: true
  url: string
  nodeHash: string
  hypervisor: string
  accelerator: string
  version: string
}

export type ComputeNodeProcess = ServiceProcess<ComputeNodeReady>

const script = join(import.meta.dirname, '../../compute-node/src/main.ts')
const readyTimeoutMs = 120_000

/** A compute node as a process of its own; not started yet. */
export function computeNodeProcess(settings: ComputeNodeSettings): ComputeNodeProcess {
  return new ServiceProcess({
    name: settings.name,
    script,
    logFile: settings.logFile,
    readyTimeoutMs,
    env: {
      ALEPH_VM_DATA_DIR: settings.dataDir,
      ALEPH_VM_SUPERVISOR_PORT: String(settings.port),
      ALEPH_VM_DOMAIN_NAME: 'localhost',
      ALEPH_VM_API_SERVERS: settings.coreNodeUrls.join(','),
      ALEPH_VM_NODE_HASH: settings.nodeHash,
      ALEPH_VM_OWNER_ADDRESS: settings.ownerAddress,
      ALEPH_VM_GUEST_IMAGES_DIR: settings.guestImagesDir,
      ALEPH_VM_GUEST_KERNEL: settings.guestKernel,
      ALEPH_VM_PROFILE: settings.profile,
      ALEPH_VM_REUSE_TIMEOUT: String(settings.reuseTimeoutSeconds ?? 300),
      ALEPH_VM_STOP_VMS_ON_EXIT: '1',
      ALEPH_VM_MIGRATE_FROM_PRIVATE: '1',
      ALEPH_VM_EVM_RPC_ETH: settings.ethereumRpc ?? '',
    },
  })
}
