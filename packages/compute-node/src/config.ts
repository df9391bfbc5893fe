import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { isAbsolute, join, resolve } from 'node:path'
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
import { type TlsSettings, tlsEnvironmentTable, tlsSettings } from './agent/proxy/tls-settings.ts'
import { commaList } from './comma-list.ts'
import type { DiskLimits, HypervisorChoice } from './hypervisor/index.ts'
import { isPrefix, type NetworkSettings, networkEnvironmentTable, networkSettings } from './network/index.ts'

const MIB = 1024 * 1024

/** Settings of one compute node; every field comes from one `ALEPH_VM_…` variable of the table below. */
export interface ComputeNodeConfig {
  dataDir: string
  host: string
  port: number
  domainName: string
  /** Where TLS connections for domains of instances are taken and passed on; null: nowhere. */
  tls: TlsSettings | null
  apiServers: string[]
  nodeHash: string | null
  ownerAddress: string
  allocationSigners: string[]
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

const seconds = z.coerce.number().min(0).max(31_536_000)
const megabytes = z.coerce
  .number()
  .int()
  .positive()
  .max(64 * MIB)
const flag = z.stringbool({ truthy: ['1', 'true', 'yes'], falsy: ['0', 'false', 'no'] })
const level = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
const webAddress = z.url({ protocol: /^https?$/ })
const itemHash = z.string().regex(/^[0-9a-f]{64}$/, 'is no item hash')
const signer = z.string().refine(isEvmAddress, 'is no EVM address')

/** Every environment variable of a compute node but `ALEPH_VM_EVM_RPC_<CHAIN>` (names of protocol 05 §1 where the network has one). */
export const environmentTable = {
  ALEPH_VM_DATA_DIR: z.string().min(1).describe('Folder of everything the node keeps'),
  ALEPH_VM_SUPERVISOR_HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on'),
  ALEPH_VM_SUPERVISOR_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(4020)
    .describe('Port; 0 takes a free one'),
  ALEPH_VM_DOMAIN_NAME: z
    .string()
    .min(1)
    .max(253)
    .toLowerCase()
    .default('localhost')
    .describe('Public host name'),
  ALEPH_VM_API_SERVERS: commaList
    .pipe(z.array(webAddress).max(64))
    .describe('Core nodes to ask, preferred first, comma-separated'),
  ALEPH_VM_API_SERVER: webAddress.optional().describe('One core node; older name of the above'),
  ALEPH_VM_NODE_HASH: itemHash.optional().describe("Hash of the node's registration"),
  ALEPH_VM_OWNER_ADDRESS: z.string().max(128).default('').describe('Address of the operator'),
  ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: commaList
    .pipe(z.array(signer).max(64))
    .describe('Who alone may allocate; empty: the network and the parent core node'),
  ALEPH_VM_REUSE_TIMEOUT: z.coerce
    .number()
    .max(31_536_000)
    .default(3600)
    .describe('Seconds an idle on-demand VM stays; 0 or less: none'),
  ALEPH_VM_DRAIN_TIMEOUT: seconds.default(30).describe('Seconds calls under way get at shutdown'),
  ALEPH_VM_UPDATE_INTERVAL: seconds
    .default(10)
    .describe('Seconds between two looks for a newer version of a program that is called'),
  ALEPH_VM_MAX_VMS_PER_PROGRAM: z.coerce
    .number()
    .int()
    .min(1)
    .max(256)
    .default(4)
    .describe('VMs that one on-demand program may have at once'),
  ALEPH_VM_CALLS_PER_VM: z.coerce
    .number()
    .int()
    .min(1)
    .max(1024)
    .default(16)
    .describe('Calls under way in each VM of a program before it gets another one'),
  ALEPH_VM_SCALE_IN_TIMEOUT: seconds
    .default(30)
    .describe('Seconds a further VM of a program stays without a call'),
  ALEPH_VM_ALLOCATION_WAIT: seconds
    .default(60)
    .describe('Longest wait, seconds, before an allocation is answered'),
  ALEPH_VM_GUEST_IMAGES_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of kernel and initrd; default <data dir>/guest-images'),
  ALEPH_VM_HYPERVISOR: z
    .enum(['auto', 'qemu', 'firecracker', 'fake'])
    .default('auto')
    .describe(
      'What runs programs; instances run in QEMU. auto: Firecracker where a guest boots under it, else QEMU',
    ),
  ALEPH_VM_CGROUP: z
    .string()
    .startsWith('/')
    .optional()
    .describe('Cgroup v2 folder delegated to this node, for limits of VMs on processor, memory and tasks'),
  ALEPH_VM_PROFILE: z
    .string()
    .min(1)
    .default('devnet')
    .describe('Network: mainnet, devnet, or path of a JSON profile'),
  ALEPH_VM_STOP_VMS_ON_EXIT: flag.default(false).describe('Stop persistent VMs too when the node stops'),
  ALEPH_VM_LOG_LEVEL: level.default('info').describe('fatal, error, warn, info, debug, trace or silent'),
  ALEPH_VM_MAX_PROGRAM_ARCHIVE_SIZE: z.coerce
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('Bytes of zip or plain code'),
  ALEPH_VM_MAX_CODE_IMAGE_MB: megabytes.default(1024).describe('MiB of squashfs code'),
  ALEPH_VM_MAX_RUNTIME_MB: megabytes.default(4096).describe('MiB of a runtime'),
  ALEPH_VM_CACHE_MB: megabytes.default(20_480).describe('MiB of downloads kept'),
  ALEPH_VM_TEMPLATES_MB: megabytes.default(8192).describe('MiB of snapshots kept'),
  ALEPH_VM_DISK_MB_PER_SECOND: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .default(500)
    .describe("MiB a second that a VM's writable disks may move together; 0: no limit"),
  ALEPH_VM_DISK_OPERATIONS_PER_SECOND: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000_000)
    .default(20_000)
    .describe("Reads and writes a second of a VM's writable disks together; 0: no limit"),
  ALEPH_VM_MEMORY_MB: megabytes.optional().describe('MiB all VMs may use together; default most of the host'),
  ALEPH_VM_VCPUS: z.coerce
    .number()
    .int()
    .positive()
    .max(4096)
    .optional()
    .describe('Virtual processors of all VMs; default four per real one'),
  ALEPH_VM_MAX_PROGRAM_SECONDS: seconds.min(1).default(3600).describe("Cap on a message's resources.seconds"),
  ALEPH_VM_MAX_INSTANCE_IMAGE_MB: megabytes
    .default(20_480)
    .describe('MiB of the image an instance starts from'),
  ALEPH_VM_INSTANCE_OUTBOUND: flag
    .default(false)
    .describe(
      'Let instances open connections without taps; they then reach whatever this host reaches, itself included',
    ),
  ALEPH_VM_FORWARD_HOST: z
    .string()
    .refine((text) => isIP(text) === 4, 'is no IPv4 address')
    .optional()
    .describe(
      'Address of this host that forwarded ports of instances are on; default 127.0.0.1, with taps that of the uplink',
    ),
  ...networkEnvironmentTable,
  ...tlsEnvironmentTable,
  ALEPH_VM_ENABLE_GPU_SUPPORT: flag
    .default(false)
    .describe('Give VMs the GPUs of this host that are bound to the driver vfio-pci'),
  ALEPH_VM_ENABLE_CONFIDENTIAL_COMPUTING: flag
    .default(false)
    .describe('Run instances in memory that this host cannot read; needs AMD SEV'),
  ALEPH_VM_CONFIDENTIAL_FIRMWARE: itemHash
    .default('ba5bb13f3abca960b101a759be162b229e2b7e93ecad9d1307e54de887f177ff')
    .describe('STORE message of the firmware of confidential instances that name none'),
  ALEPH_VM_CONFIDENTIAL_CERTIFICATES: z
    .string()
    .min(1)
    .optional()
    .describe(
      "File of the SEV platform's certificates as `sevctl export` makes it, with AMD's signature; default: QEMU's",
    ),
  ALEPH_VM_RESCUE_IMAGE: itemHash
    .optional()
    .describe('STORE message of the disk image that instances are rescued with when their owner names none'),
  ALEPH_VM_MIGRATE_FROM_PRIVATE: flag
    .default(false)
    .describe('Take instances from nodes at addresses that are not public, as in a network of your own'),
  ALEPH_VM_IPV6_ADDRESS_POOL: z
    .string()
    .refine((text) => isPrefix(text) && text.includes(':'), 'is no IPv6 prefix')
    .default('fc00:1:2:3::/64')
    .describe("Prefix that VMs' IPv6 addresses are computed in"),
  ALEPH_VM_STANDBYS: z.coerce
    .number()
    .int()
    .min(0)
    .max(256)
    .optional()
    .describe(
      'Paused clones ready for the next start of stopped functions, some 32 MiB each; default one per 512 MiB, 4 to 32',
    ),
  ALEPH_VM_PROGRAM_START_TIMEOUT: seconds
    .min(1)
    .default(10)
    .describe('Seconds a program gets until it listens; five times as much under software emulation'),
  ALEPH_VM_PAYMENT_MONITOR_INTERVAL: seconds
    .default(60)
    .describe('Seconds between two looks at who still pays; 0: never, the scheduler does'),
  ALEPH_VM_PAYMENT_RECEIVER_ADDRESS: signer
    .optional()
    .describe("EVM address that streams of tokens go to; default the owner's"),
  ALEPH_VM_CHECK_FASTAPI_VM_ID: itemHash
    .default('d2b74aa29898457bde0560e47f7cdd4e77287e9f1f7a1456161d2fd7d5c855d7')
    .describe('Diagnostic program of the network'),
  ALEPH_VM_LEGACY_CHECK_FASTAPI_VM_ID: itemHash
    .default('ad67c6857d6319486794ec2a3d14b584ac7e6c27593f3172148e486dbd1e0e21')
    .describe('Diagnostic program for old runtimes'),
}

const environmentSchema = z.object(environmentTable)

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
    apiServers: known,
    nodeHash: env.ALEPH_VM_NODE_HASH ?? null,
    ownerAddress: env.ALEPH_VM_OWNER_ADDRESS,
    allocationSigners: env.ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS,
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
      programStartMs: env.ALEPH_VM_PROGRAM_START_TIMEOUT * 1000,
      programSeconds: env.ALEPH_VM_MAX_PROGRAM_SECONDS,
      archive: defaultArchiveLimits,
    },
  }
}

/** The settings as the operator may see them on a page: nothing secret is among them. */
export function publicSettings(config: ComputeNodeConfig): Record<string, unknown> {
  const { profile, evmRpcUrls, ...settings } = config
  return { ...settings, profile: profile.name, evmChains: Object.keys(evmRpcUrls) }
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
