import type { Duplex } from 'node:stream'

/** Who executes the guest's instructions; `none` for the fake. */
export type Accelerator = 'kvm' | 'tcg' | 'none'

/** What a hypervisor turned out to be able to do, measured by booting a guest (protocol 05 §21.1). */
export interface HypervisorCapabilities {
  hypervisor: 'qemu' | 'firecracker' | 'fake'
  accelerator: Accelerator
  /** Version of the hypervisor, for humans. */
  version: string
  /** Why the accelerator is not KVM, when it is not. */
  acceleratorReason?: string
  /** Changes whenever a snapshot taken before could no longer be restored. */
  fingerprint: string
  /** Factor for every guest time limit: 1 on hardware virtualisation (protocol 05 §21.5). */
  timeoutFactor: number
  /** Milliseconds the probe guest took to its agent, when it was booted. */
  probeBootMs?: number
}

/** The host's end of a running guest's control channel; `GuestChannel` of the guest package is one. */
export interface GuestLink {
  /** What the program was doing at the hello, kept up to date by events. */
  readonly programState: 'idle' | 'starting' | 'ready' | 'exited'
  /** Resolves when the guest acknowledged the verb. */
  control(verb: string, fields?: Record<string, string | string[]>): Promise<void>
  openStream(destination: string): Duplex
  onStream(handler: (destination: string, stream: Duplex) => void): void
  on(event: 'event', listener: (verb: string, fields: Record<string, string | string[]>) => void): unknown
  on(event: 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'event', listener: (verb: string, fields: Record<string, string | string[]>) => void): unknown
  off(event: 'close', listener: () => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  close(): Promise<void>
}

/** A disk as the guest sees it. */
export interface DiskShape {
  serial: string
  path: string
  /** Default: read-only. */
  writable?: boolean
  /** Default: raw. */
  format?: 'raw' | 'qcow2'
  /** Where a qcow2 disk reads what was never written to it. */
  backing?: { path: string; format: 'raw' | 'qcow2' }
}

/** A port of the host that leads into the guest. */
export interface Forward {
  host: number
  guest: number
  tcp: boolean
  udp: boolean
}

/** User-mode network of a machine that boots from its disk. */
export interface NetworkShape {
  /** Whether the guest may open connections to the outside, and so to whatever the host reaches. */
  outbound: boolean
  /** Address of the host that forwarded ports are on. */
  forwardHost: string
  forwards: Forward[]
}

/** A network device on a tap of the host's, which somebody else gives addresses and rules. */
export interface TapShape {
  /** The tap's name; made with the machine, and gone with it. */
  name: string
  /** The guest's hardware address. */
  mac: string
}

/** How a guest's memory is kept from its host. */
export type ConfidentialTechnology = 'sev' | 'sev-es' | 'sev-snp'

/** Whether guests whose memory the host cannot read run here. */
export type ConfidentialSupport =
  | { available: false; reason: string }
  | {
      available: true
      technologies: ConfidentialTechnology[]
      /** Position of the bit that marks memory as encrypted, and how many address bits that costs. */
      cbitpos: number
      reducedPhysBits: number
      /** What owners make a launch session for: the platform's key and its chain of certificates. */
      certificates: Buffer
    }

/** A machine whose memory the host cannot read. */
export interface ConfidentialShape {
  technology: 'sev' | 'sev-snp'
  /** What the processor forbids the host, as a number of bits. */
  policy: number
  cbitpos: number
  reducedPhysBits: number
  /** File of the firmware that is measured. */
  firmware: string
  /** Files of the session that the owner made for this launch; SNP has none. */
  session?: { session: string; dhCertificate: string }
  /** Of SNP: model of the guest's processors, which is measured too. */
  vcpuType?: SnpVcpuType
  /** Of SNP: what the processor shall say that the host said of the guest, 32 bytes in base64. */
  hostData?: string
}

/** Models of processors, as QEMU calls them, that SNP guests are measured for. */
export const snpVcpuTypes = [
  'EPYC',
  'EPYC-v4',
  'EPYC-Rome',
  'EPYC-Milan',
  'EPYC-Milan-v2',
  'EPYC-Genoa',
  'EPYC-Turin',
] as const
export type SnpVcpuType = (typeof snpVcpuTypes)[number]

/** What was launched, signed by the processor: base64 of 32 bytes of measure and 16 of nonce. */
export interface LaunchMeasurement {
  info: {
    enabled: boolean
    apiMajor: number
    apiMinor: number
    buildId: number
    policy: number
    state: string
    handle: number
  }
  measure: string
}

/** What the owner of a confidential machine does before its guest runs. */
export interface LaunchControl {
  measurement(): Promise<LaunchMeasurement>
  /** Hands the guest what only its owner can have made (base64), and lets it run. */
  injectSecret(packetHeader: string, secret: string): Promise<{ status: string; running: boolean }>
}

/** A GPU of the host, bound to the driver `vfio-pci`. */
export interface GpuShape {
  /** `0000:01:00.0` */
  pciAddress: string
  /** `0300` has a display. */
  deviceClass: '0300' | '0302'
  /** Name of the device under `/dev/vfio`. */
  vfioGroup: string
}

/** What must be equal between a snapshot and the machine it is restored into. */
export interface MachineShape {
  /** From our kernel and the channel's agent, or from its first disk by itself. Default: the kernel. */
  boots?: 'kernel' | 'disk'
  vcpus: number
  memoryMiB: number
  /** Raw disks in slot order, read-only unless told otherwise; the guest finds them by serial. */
  disks: DiskShape[]
  /** Only of machines that boot from their disk. */
  network?: NetworkShape
  /** As above, instead of `network`. */
  tap?: TapShape
  /** Devices of the host that are this machine's alone; only of machines that boot from their disk. */
  gpus?: GpuShape[]
  /** Only of machines that boot from their disk. */
  confidential?: ConfidentialShape
}

/** The two files of a snapshot. It fits machines whose disks have other contents if the guest let go of them. Neither may change while a machine restored from it lives. */
export interface SnapshotFiles {
  /** Guest memory, sparse. */
  memory: string
  /** Device state. */
  state: string
}

/** How a machine begins: from the kernel, or from a snapshot it shares memory pages with. */
export type MachineStart =
  | { kind: 'cold' /** Keep guest memory in this file, so that `snapshot` is possible. */; memory?: string }
  | {
      kind: 'restore'
      snapshot: SnapshotFiles
      /** Work on a copy of the snapshot's memory in this file, so that `snapshot` is possible again. */
      memory?: string
    }

export interface LaunchRequest {
  /** Opaque, for names and logs. */
  id: string
  shape: MachineShape
  start: MachineStart
  /** Receives the raw console output. */
  onConsole: (chunk: Uint8Array) => void
  /** Limit until the machine executes (not until the guest answers), milliseconds. */
  timeoutMs: number
  signal?: AbortSignal
}

/** Plain data with which a machine can be found again after a restart of this process. */
export interface MachineRecord {
  hypervisor: 'qemu' | 'firecracker' | 'fake'
  /** Unique per launch. */
  launchId: string
  pid?: number
  /** Kernel start time of `pid` in clock ticks: tells a recycled pid from ours. */
  pidStartTicks?: string
  /** Name of the tap it has. */
  tap?: string
}

/** How a machine ended. `expected` when `kill` was called; `byGuest` when its system switched it off. */
export interface MachineExit {
  expected: boolean
  byGuest: boolean
  reason: string
}

export interface Machine {
  readonly record: MachineRecord
  /** Resolves (never rejects) when the machine is gone and its host resources are released. */
  readonly exited: Promise<MachineExit>
  /** Opens the control channel; any earlier one is reset by the guest. Limit in milliseconds. */
  connect(timeoutMs: number): Promise<GuestLink>
  /** Pauses the machine and writes its device state; needs `start.memory`. It stays paused. */
  snapshot(statePath: string): Promise<void>
  /** Stops the guest's processors; its channel goes quiet. */
  pause(): Promise<void>
  /** Continues a machine paused by `pause` or `snapshot`. */
  resume(): Promise<void>
  /** Host memory that it shares with no other machine, bytes; 0 when it is gone. */
  ownMemory(): Promise<number>
  /** Presses the power button, as it were; the guest decides what follows. */
  powerDown(): Promise<void>
  /** Of a machine with confidential memory, which waits for it before its first instruction. */
  readonly launchControl: LaunchControl
  /** Replaces the ports that lead into the guest by its `network`. */
  setForwards(host: string, former: Forward[], next: Forward[]): Promise<void>
  /** Ends the machine at once; resolves when it is gone. */
  kill(): Promise<void>
  /** Lets go of the machine, which runs on; `exited` never resolves afterwards. */
  detach(): void
}

/** A way to run machines: QEMU, or the in-process fake. */
export interface Hypervisor {
  /** Boots a guest to learn what works here. Called once before anything else; cheap when remembered. */
  probe(): Promise<HypervisorCapabilities>
  /** Whether machines with confidential memory run here; asked only on nodes that shall offer them. */
  confidential(sysfs: string): Promise<ConfidentialSupport>
  launch(request: LaunchRequest): Promise<Machine>
  /** Takes over a machine that outlived the process which launched it; null when it is gone. */
  adopt(record: MachineRecord, onConsole: (chunk: Uint8Array) => void): Promise<Machine | null>
  /** Kills every machine of this node that is not in `keep` and removes what it left; returns how many. */
  sweep(keep: MachineRecord[]): Promise<number>
  /** Ends what waits for machines to come; those that run are left alone. */
  close(): Promise<void>
}

/** The hypervisor itself failed: not installed, refused its arguments, died, did not answer. */
export class HypervisorError extends Error {
  override readonly name = 'HypervisorError'
  readonly code:
    | 'hypervisor_missing'
    | 'hypervisor_failed'
    | 'hypervisor_timeout'
    | 'guest_images_missing'
    | 'aborted'

  constructor(code: HypervisorError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
