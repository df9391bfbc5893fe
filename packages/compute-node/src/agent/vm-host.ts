import type {
  HypervisorCapabilities,
  LaunchControl,
  LogLine,
  LogOptions,
  PortForward,
  RunningVm,
  VmInfo,
  VmSpec,
} from '../supervisor/index.ts'

/** The part of the Supervisor the agent works with. */
export interface VmHost {
  readonly capabilities: HypervisorCapabilities
  /** Starts the VM or finds it running; concurrent calls share one start. Throws VmStartError. */
  ensureRunning(spec: VmSpec): Promise<RunningVm>
  /** The budget of all VMs together, and what of it is in use. */
  readonly capacity: {
    budget: { memoryMiB: number; vcpus: number }
    used: { memoryMiB: number; vcpus: number }
  }
  /** VMs of whose memory there are snapshots. */
  readonly snapshotOwners: string[]
  stop(id: string, graceMs?: number): Promise<void>
  /** Lets a program rest until its next start, with all it has in memory; one that may not is stopped. */
  suspend(id: string): Promise<void>
  /** Stops the VM at once and deletes its record and log. */
  destroy(id: string): Promise<void>
  /** Lets a running VM stand still, everything it wrote on its disks, while `work` runs. */
  whilePaused<T>(id: string, work: () => Promise<T>): Promise<T>
  /** What the owner of a running instance with confidential memory does. Throws VmNotRunningError. */
  launchControl(id: string): LaunchControl
  /** Replaces the ports that lead into a running instance. */
  setForwards(id: string, forwards: PortForward[]): Promise<void>
  /** Every VM but replicas. */
  list(): VmInfo[]
  /** Further VMs of programs that have several. */
  replicas(): VmInfo[]
  get(id: string): VmInfo | undefined
  logs(id: string, options?: LogOptions): AsyncIterable<LogLine>
  on(event: 'state', listener: (info: VmInfo) => void): unknown
}
