import type { Duplex } from 'node:stream'
import type { SnpVcpuType } from '../hypervisor/index.ts'
import type { TapLink } from '../network/index.ts'

/** Whether a VM starts at the first request and stops when idle, or is kept running. */
export type VmKind = 'on-demand' | 'persistent'

/** A read-only squashfs image on the host, with the hash its content was verified against. */
export interface DiskImage {
  path: string
  /** Lower-case hexadecimal SHA-256 of the file, or its CID. */
  sha256: string
}

/** A folder of the guest that is not its root: where it is mounted, and what is there. */
export type VolumeMount = { mount: string } & (
  | {
      kind: 'image'
      /** A read-only image on the host. */
      image: DiskImage
      fileSystem: 'squashfs' | 'ext4'
      /** Lets the program write, into memory. */
      copyOnWrite: boolean
    }
  /** An ext4 image of the VM's own, which outlives it; one that grows began as somebody's smaller image. */
  | { kind: 'disk'; path: string; grows?: boolean }
  /** The guest's own memory. */
  | { kind: 'memory'; sizeMiB: number }
)

/**
 * Everything needed to start one program. Knows nothing of messages or payment (protocol 05 §21.1).
 *
 * `templateKey` names whatever else the caller wants to tell snapshots apart by; machine shape, disks,
 * command, environment, host name and hypervisor are always part of the real key.
 */
export interface ProgramSpec {
  type?: 'program'
  /** Letters, digits, `-` and `_`, at most 128 characters: the item hash of the VM. */
  id: string
  /** Of a further VM of one program: the id of the first. It is listed apart, and its log is the first one's. */
  replicaOf?: string
  kind: VmKind
  vcpus: number
  memoryMiB: number
  /** `command` is the runtime's argv before the entrypoint; empty: the entrypoint is run itself. */
  runtime: DiskImage & { command: string[]; env?: Record<string, string> }
  code: DiskImage
  entrypoint: string
  /** Arguments of the program after its entrypoint. */
  args?: string[]
  /** In the order in which they are mounted. */
  volumes?: VolumeMount[]
  env: Record<string, string>
  hostname: string
  /** Gives the program the outgoing proxy; its streams reach `SupervisorOptions.onGuestStream`. */
  internet: boolean
  templateKey: string
}

/** A disk of an instance, in the order of its device names: root first. */
export interface InstanceDisk {
  /** By which the guest finds it (`/dev/disk/by-id/virtio-<serial>`). */
  serial: string
  path: string
  format: 'raw' | 'qcow2'
  writable: boolean
  /** Where a qcow2 disk reads what was never written to it. */
  backing?: { path: string; format: 'raw' | 'qcow2' }
}

/** A port of the host that leads to one of an instance. */
export interface PortForward {
  host: number
  guest: number
  tcp: boolean
  udp: boolean
}

/** A GPU of the host, bound to the driver `vfio-pci`. */
export interface GpuDevice {
  /** `0000:01:00.0` */
  pciAddress: string
  deviceClass: '0300' | '0302'
  /** Name of the device under `/dev/vfio`. */
  vfioGroup: string
}

/** How a machine with confidential memory is launched; names of files are as on the host. */
export interface ConfidentialLaunch {
  technology: 'sev' | 'sev-snp'
  policy: number
  cbitpos: number
  reducedPhysBits: number
  firmware: string
  /** What the owner made for this launch; the machine waits for its secret then. */
  session?: { session: string; dhCertificate: string }
  /** Of SNP: model of its processors, and what its reports say of the host (32 bytes, base64). */
  vcpuType?: SnpVcpuType
  hostData?: string
}

/** Everything needed to start one instance: a machine that boots from its own disk. */
export interface InstanceSpec {
  type: 'instance'
  /** `rescue`: another system boots, and the root disk is the second one. */
  mode?: 'rescue'
  id: string
  kind: 'persistent'
  vcpus: number
  memoryMiB: number
  disks: InstanceDisk[]
  /** Whether it may open connections to the outside. */
  internet: boolean
  /** Its link to the host; absent: its network is of its hypervisor's making. */
  link?: TapLink
  /** Address of the host the forwarded ports are on. */
  forwardHost: string
  /** May change while it runs. */
  forwards: PortForward[]
  /** Devices of the host that are its alone. */
  gpus?: GpuDevice[]
  /** Of memory that the host cannot read. */
  confidential?: ConfidentialLaunch
}

/** Everything needed to start one VM. */
export type VmSpec = ProgramSpec | InstanceSpec

export function isInstance(spec: VmSpec): spec is InstanceSpec {
  return spec.type === 'instance'
}

/** `defined → booting → running → stopping → stopped`, and `failed` from any of them (protocol 05 §21.1). */
export type VmState = 'defined' | 'booting' | 'running' | 'stopping' | 'stopped' | 'failed'

/**
 * What a VM's last start began from: a kernel that had to boot, the template of its runtime, the snapshot of its
 * own program, or that program itself, where it had rested (protocol 05 §21.6).
 */
export type StartKind = 'cold' | 'runtime' | 'restored' | 'resumed'

/** A snapshot of what is known of one VM; plain data, safe to serialise. Times are epoch seconds. */
export interface VmInfo {
  id: string
  replicaOf?: string
  type: 'program' | 'instance'
  kind: VmKind
  state: VmState
  vcpus: number
  memoryMiB: number
  internet: boolean
  /** Of an instance: whether another system than its own boots. */
  mode?: 'rescue'
  /** Of an instance: whether the host cannot read its memory. */
  confidential?: boolean
  /** Of an instance: PCI addresses of GPUs it has. */
  gpus?: string[]
  /** Of an instance: ports of the host that lead into it. */
  forwards?: PortForward[]
  /** Of an instance: its link to the host, when it has one. */
  link?: TapLink
  definedAt: number
  /** When the last successful start was asked for. */
  startedAt?: number
  stoppedAt?: number
  /** When `RunningVm.touch` or `openHttp` was last called. */
  lastUsedAt?: number
  startKind?: StartKind
  /** From the request to start to the program listening, in milliseconds. */
  startMs?: number
  /** How many times it has reached `running`. */
  starts: number
  pid?: number
  /** Why it is `failed`. */
  error?: { code: string; message: string }
}

/** A VM whose program accepts connections. */
export interface RunningVm {
  readonly info: VmInfo
  /**
   * A fresh byte stream to the program's HTTP server.
   *
   * @throws VmNotRunningError when the VM has stopped since.
   */
  openHttp(): Duplex
  /** Marks the VM as used now (`VmInfo.lastUsedAt`). */
  touch(): void
}

/** One line of a VM's console. */
export interface LogLine {
  /** Epoch seconds at which the host received the line. */
  time: number
  text: string
}

/** Which lines `Supervisor.logs` yields. */
export interface LogOptions {
  /** Only lines received at or after this time, epoch seconds. */
  since?: number
  /** Only the last `limit` of them (default: all that are kept). */
  limit?: number
  /** Go on yielding new lines until the signal aborts. */
  follow?: boolean
  signal?: AbortSignal
}
