import { isIP } from 'node:net'
import { guestKernels } from '@aleph-ts/guest'
import { isEvmAddress } from '@aleph-ts/protocol'
import { z } from 'zod'
import { sshEnvironmentTable } from './agent/proxy/ssh-settings.ts'
import { tlsEnvironmentTable } from './agent/proxy/tls-settings.ts'
import { commaList } from './comma-list.ts'
import { isPrefix, networkEnvironmentTable } from './network/index.ts'

const MIB = 1024 * 1024
const seconds = z.coerce.number().min(0).max(31_536_000)
const megabytes = z.coerce
  .number()
  .int()
  .positive()
  .max(64 * MIB)
const flag = z.stringbool({ truthy: ['1', 'true', 'yes'], falsy: ['0', 'false', 'no'] })
const level = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
/** Where HTTP is spoken. */
export const webAddress = z.url({ protocol: /^https?$/ })
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
  ALEPH_VM_ALLOCATION_TOKEN_HASH: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'is no sha256 in lower-case hex')
    .optional()
    .describe(
      'sha256 of the secret by which an older scheduler may allocate (X-Auth-Signature); default: none may',
    ),
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
  ALEPH_VM_GUEST_KERNEL: z
    .enum(guestKernels)
    .default('debian')
    .describe(
      "What programs' machines of QEMU boot. debian: Debian's kernel; lean: a smaller one for those with one vCPU",
    ),
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
  ...sshEnvironmentTable,
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
  ALEPH_VM_SPARE_PROCESSES: z.coerce
    .number()
    .int()
    .min(0)
    .max(64)
    .default(4)
    .describe(
      'For how many shapes of machines (memory, processors, disks) a QEMU process waits for the next start from a snapshot, some 10 MiB each',
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
