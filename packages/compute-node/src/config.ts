import { readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import type { GuestKernel } from '@aleph-ts/guest'
import {
  type Chain,
  devnetProfile,
  isChain,
  isEvmAddress,
  mainnetProfile,
  type NetworkProfile,
  parseNetworkProfile,
} from '@aleph-ts/protocol'
import { z } from 'zod'
import { type ArchiveLimits, defaultArchiveLimits } from './agent/programs/zip-archive.ts'
import { hasSshCertificate, type SshSettings, sshSettings } from './agent/proxy/ssh-settings.ts'
import { type TlsSettings, tlsSettings } from './agent/proxy/tls-settings.ts'
import { environmentTable, webAddress } from './environment.ts'
import type { DiskLimits, HypervisorChoice } from './hypervisor/index.ts'
import { type NetworkSettings, networkSettings } from './network/index.ts'

const MIB = 1024 * 1024

/** Settings of one compute node; every field comes from one `ALEPH_VM_…` variable of the table below. */
export interface ComputeNodeConfig {
  dataDir: string
  host: string
  port: number
  domainName: string
  /** Where TLS connections for domains of instances are taken and passed on; null: nowhere. */
  tls: TlsSettings | null
  /** Where ssh into instances is taken by name; null: nowhere. */
  ssh: SshSettings | null
  apiServers: string[]
  nodeHash: string | null
  ownerAddress: string
  allocationSigners: string[]
  /** sha256 hex of the secret of older schedulers; null: it opens nothing. */
  allocationTokenHash: string | null
  reuseTimeoutMs: number
  drainTimeoutMs: number
  /** How often a running program is looked at for a newer version. */
  updateIntervalMs: number
  /** Cgroup v2 folder for the limits of VMs. */
  cgroup: string | null
  /** Further VMs of busy programs. */
  scaling: { maxVms: number; callsPerVm: number; idleMs: number }
  allocationWaitMs: number
  guestImagesDir: string
  /** Which images of that folder are used: those with a lean kernel, or without. */
  guestKernel: GuestKernel
  hypervisor: HypervisorChoice
  profile: NetworkProfile
  stopVmsOnExit: boolean
  logLevel: string
  /** Diagnostic programs of the network, by item hash. */
  checkProgram: string
  legacyCheckProgram: string
  /** Whether instances without taps may open connections to the outside. */
  instanceOutbound: boolean
  /** Address of this host that forwarded ports of instances are on; null: the network's choice. */
  forwardHost: string | null
  /** How instances are connected. */
  network: NetworkSettings
  /** Whether GPUs bound to `vfio-pci` are given to VMs. */
  gpuSupport: boolean
  /** Whether instances whose memory the host cannot read run here, where the processor can. */
  confidentialComputing: boolean
  /** STORE message of the firmware of confidential instances that name none. */
  confidentialFirmware: string
  /** File of the SEV platform's certificates; null: as QEMU tells them. */
  confidentialCertificates: string | null
  /** STORE message of the system that instances are rescued with. */
  rescueImage: string | null
  /** Whether an instance may be fetched from a node at an address that is not public. */
  migrateFromPrivate: boolean
  /** IPv6 prefix that VMs' addresses are computed in. */
  ipv6Pool: string
  /** 0: nobody's payment is looked at again after the start. */
  paymentIntervalMs: number
  /** Where streams of tokens must go to; null: this node takes none. */
  paymentReceiver: string | null
  /** JSON-RPC URLs of chains that streams are read from; they may hold API keys. */
  evmRpcUrls: Partial<Record<Chain, string>>
  limits: {
    archiveBytes: number
    codeImageBytes: number
    runtimeBytes: number
    instanceImageBytes: number
    cacheBytes: number
    templateBytes: number
    disk: DiskLimits
    memoryMiB: number | null
    vcpus: number | null
    programSeconds: number
    /** Paused clones kept for the next start of stopped functions. */
    standbys: number | null
    /** Shapes of machines that a QEMU process waits for. */
    spareProcesses: number
    /** Milliseconds a program gets until it listens; software emulation gets five times as much. */
    programStartMs: number
    archive: ArchiveLimits
  }
}

/** A setting that cannot be used; the message names every one and says what is wrong with it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'invalid_config'
}

const environmentSchema = z.object(environmentTable).refine(hasSshCertificate, {
  path: ['ALEPH_VM_SSH_PORT'],
  error: 'needs ALEPH_VM_SSH_CERTIFICATE and ALEPH_VM_SSH_KEY beside it',
})

/**
 * Reads the settings from the environment; empty variables count as absent.
 *
 * @throws {ConfigError}
 */
export function configFromEnvironment(environment: Record<string, string | undefined>): ComputeNodeConfig {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const parsed = environmentSchema.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new ConfigError(`Set these environment variables right: ${problems.join('; ')}`)
  }
  const env = parsed.data
  const apiServers =
    env.ALEPH_VM_API_SERVERS.length > 0 ? env.ALEPH_VM_API_SERVERS : [env.ALEPH_VM_API_SERVER]
  const known = apiServers.filter((server) => server !== undefined)
  if (known.length === 0) {
    throw new ConfigError(
      'ALEPH_VM_API_SERVERS: name at least one core node, for example http://127.0.0.1:4024',
    )
  }
  const dataDir = resolve(env.ALEPH_VM_DATA_DIR)
  return {
    dataDir,
    host: env.ALEPH_VM_SUPERVISOR_HOST,
    port: env.ALEPH_VM_SUPERVISOR_PORT,
    domainName: env.ALEPH_VM_DOMAIN_NAME,
    tls: tlsSettings(env),
    ssh: sshSettings(env),
    apiServers: known,
    nodeHash: env.ALEPH_VM_NODE_HASH ?? null,
    ownerAddress: env.ALEPH_VM_OWNER_ADDRESS,
    allocationSigners: env.ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS,
    allocationTokenHash: env.ALEPH_VM_ALLOCATION_TOKEN_HASH ?? null,
    reuseTimeoutMs: env.ALEPH_VM_REUSE_TIMEOUT * 1000,
    drainTimeoutMs: env.ALEPH_VM_DRAIN_TIMEOUT * 1000,
    updateIntervalMs: env.ALEPH_VM_UPDATE_INTERVAL * 1000,
    cgroup: env.ALEPH_VM_CGROUP ?? null,
    scaling: {
      maxVms: env.ALEPH_VM_MAX_VMS_PER_PROGRAM,
      callsPerVm: env.ALEPH_VM_CALLS_PER_VM,
      idleMs: env.ALEPH_VM_SCALE_IN_TIMEOUT * 1000,
    },
    allocationWaitMs: env.ALEPH_VM_ALLOCATION_WAIT * 1000,
    guestImagesDir: resolve(env.ALEPH_VM_GUEST_IMAGES_DIR ?? join(dataDir, 'guest-images')),
    guestKernel: env.ALEPH_VM_GUEST_KERNEL,
    hypervisor: env.ALEPH_VM_HYPERVISOR,
    profile: loadProfile(env.ALEPH_VM_PROFILE),
    stopVmsOnExit: env.ALEPH_VM_STOP_VMS_ON_EXIT,
    logLevel: env.ALEPH_VM_LOG_LEVEL,
    checkProgram: env.ALEPH_VM_CHECK_FASTAPI_VM_ID,
    legacyCheckProgram: env.ALEPH_VM_LEGACY_CHECK_FASTAPI_VM_ID,
    instanceOutbound: env.ALEPH_VM_INSTANCE_OUTBOUND,
    forwardHost: env.ALEPH_VM_FORWARD_HOST ?? null,
    network: networkSettings(env),
    confidentialComputing: env.ALEPH_VM_ENABLE_CONFIDENTIAL_COMPUTING,
    confidentialFirmware: env.ALEPH_VM_CONFIDENTIAL_FIRMWARE,
    confidentialCertificates: env.ALEPH_VM_CONFIDENTIAL_CERTIFICATES ?? null,
    gpuSupport: env.ALEPH_VM_ENABLE_GPU_SUPPORT,
    rescueImage: env.ALEPH_VM_RESCUE_IMAGE ?? null,
    migrateFromPrivate: env.ALEPH_VM_MIGRATE_FROM_PRIVATE,
    ipv6Pool: env.ALEPH_VM_IPV6_ADDRESS_POOL,
    paymentIntervalMs: env.ALEPH_VM_PAYMENT_MONITOR_INTERVAL * 1000,
    paymentReceiver: env.ALEPH_VM_PAYMENT_RECEIVER_ADDRESS ?? evmAddressOrNull(env.ALEPH_VM_OWNER_ADDRESS),
    evmRpcUrls: evmRpcUrls(given),
    limits: {
      archiveBytes: env.ALEPH_VM_MAX_PROGRAM_ARCHIVE_SIZE,
      codeImageBytes: env.ALEPH_VM_MAX_CODE_IMAGE_MB * MIB,
      runtimeBytes: env.ALEPH_VM_MAX_RUNTIME_MB * MIB,
      instanceImageBytes: env.ALEPH_VM_MAX_INSTANCE_IMAGE_MB * MIB,
      cacheBytes: env.ALEPH_VM_CACHE_MB * MIB,
      templateBytes: env.ALEPH_VM_TEMPLATES_MB * MIB,
      disk: {
        bytesPerSecond: env.ALEPH_VM_DISK_MB_PER_SECOND * MIB,
        operationsPerSecond: env.ALEPH_VM_DISK_OPERATIONS_PER_SECOND,
      },
      memoryMiB: env.ALEPH_VM_MEMORY_MB ?? null,
      vcpus: env.ALEPH_VM_VCPUS ?? null,
      standbys: env.ALEPH_VM_STANDBYS ?? null,
      spareProcesses: env.ALEPH_VM_SPARE_PROCESSES,
      programStartMs: env.ALEPH_VM_PROGRAM_START_TIMEOUT * 1000,
      programSeconds: env.ALEPH_VM_MAX_PROGRAM_SECONDS,
      archive: defaultArchiveLimits,
    },
  }
}

/** The settings as the operator may see them on a page: nothing secret is among them. */
export function publicSettings(config: ComputeNodeConfig): Record<string, unknown> {
  const { profile, evmRpcUrls, allocationTokenHash, ...settings } = config
  return {
    ...settings,
    profile: profile.name,
    evmChains: Object.keys(evmRpcUrls),
    takesAllocationToken: allocationTokenHash !== null,
  }
}

const rpcVariable = 'ALEPH_VM_EVM_RPC_'

/** `ALEPH_VM_EVM_RPC_<CHAIN>`. */
function evmRpcUrls(given: Record<string, string | undefined>): Partial<Record<Chain, string>> {
  const urls: Partial<Record<Chain, string>> = {}
  for (const [name, url] of Object.entries(given)) {
    if (!name.startsWith(rpcVariable)) continue
    const chain = name.slice(rpcVariable.length)
    if (!isChain(chain)) throw new ConfigError(`${name}: "${chain}" is no chain of the network`)
    const parsed = webAddress.safeParse(url)
    if (!parsed.success) throw new ConfigError(`${name}: give an http:// or https:// address`)
    urls[chain] = parsed.data
  }
  return urls
}

function evmAddressOrNull(text: string): string | null {
  return isEvmAddress(text) ? text : null
}

function loadProfile(nameOrPath: string): NetworkProfile {
  const known = [mainnetProfile, devnetProfile].find((profile) => profile.name === nameOrPath)
  if (known) return known
  if (!isAbsolute(nameOrPath) && !nameOrPath.endsWith('.json')) {
    throw new ConfigError(`ALEPH_VM_PROFILE: no profile is named "${nameOrPath}"; give a path to a JSON file`)
  }
  try {
    return parseNetworkProfile(JSON.parse(readFileSync(nameOrPath, 'utf8')))
  } catch (error) {
    const reason = (error as Error).message
    throw new ConfigError(`ALEPH_VM_PROFILE: cannot use ${nameOrPath}: ${reason}`, { cause: error })
  }
}
