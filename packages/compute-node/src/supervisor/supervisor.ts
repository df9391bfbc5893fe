import { EventEmitter } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import type {
  ConfidentialSupport,
  Hypervisor,
  HypervisorCapabilities,
  LaunchControl,
} from '../hypervisor/index.ts'
import type { TapNetwork } from '../network/index.ts'
import { BootSlots } from './boot-slots.ts'
import { Capacity, type CapacityBudget } from './capacity.ts'
import { ConsoleLog } from './console-log.ts'
import type { OnGuestStream } from './guest-setup.ts'
import { MachineStarter } from './machine-starter.ts'
import { RuntimeTemplates } from './runtime-templates.ts'
import { defaultStandbys } from './standby-pool.ts'
import { TemplateStore } from './template-store.ts'
import { Vm, type VmContext } from './vm.ts'
import { VmNotRunningError, VmStartError } from './vm-errors.ts'
import { VmRegistry } from './vm-registry.ts'
import {
  isInstance,
  type LogLine,
  type LogOptions,
  type PortForward,
  type RunningVm,
  type VmInfo,
  type VmSpec,
} from './vm-spec.ts'

export interface SupervisorOptions {
  /** Holds the VM records, logs and templates; one supervisor per directory. */
  dataDir: string
  hypervisor: Hypervisor
  /** The host's side of instances that have a link. */
  network?: TapNetwork | null
  log?: Logger
  /** Takes a stream a guest opened: `egress` (only of VMs with `internet`) or `api`. Default: refuse. */
  onGuestStream?: OnGuestStream
  /** What all VMs may use together. Default: 80 % of the host's memory, 4 virtual per real processor. */
  capacity?: Partial<CapacityBudget>
  /** Disk space for templates. Default 8 GiB. */
  templateBudgetBytes?: number
  /** Console log kept per VM. Default 2 MiB. */
  logBytesPerVm?: number
  /** Kernels that may boot at once. Default: one per processor. */
  concurrentBoots?: number
  /** Paused clones kept ready for the next start of VMs that stopped. Default: `defaultStandbys` (the fake: 0). */
  standbys?: number
  /** Limits on hardware virtualisation, milliseconds; software emulation gets five times as much. */
  limits?: { bootMs?: number; programMs?: number; restoreMs?: number }
  /** Ended VMs that stay listed with their logs. Default 1000; the oldest are destroyed. */
  keepEnded?: number
}

interface SupervisorEvents {
  state: [VmInfo]
}

const idPattern = /^[A-Za-z0-9_-]{1,128}$/
const defaultStopGraceMs = 5000

/**
 * Runs VMs as told and knows nothing of why: starts (from snapshots where it can), watches, stops, keeps
 * logs, and finds its VMs again after a restart (protocol 05 §21). Emits `state` with every `VmInfo` change
 * of state.
 */
export class Supervisor extends EventEmitter<SupervisorEvents> implements AsyncDisposable {
  readonly #options: SupervisorOptions
  readonly #log: Logger
  readonly #vms = new Map<string, Vm>()
  readonly #capacity: Capacity
  #parts: { context: VmContext; capabilities: HypervisorCapabilities; connectMs: number } | null = null
  #closing = false

  private constructor(options: SupervisorOptions) {
    super()
    this.#options = options
    this.#log = options.log ?? pino({ level: 'silent' })
    this.#capacity = new Capacity({
      memoryMiB: options.capacity?.memoryMiB ?? Math.floor((totalmem() / 1024 / 1024) * 0.8),
      vcpus: options.capacity?.vcpus ?? availableParallelism() * 4,
    })
  }

  static async create(options: SupervisorOptions): Promise<Supervisor> {
    await mkdir(options.dataDir, { recursive: true, mode: 0o711 })
    return new Supervisor(options)
  }

  /**
   * Probes the hypervisor, takes over the VMs that ran on, kills what nobody knows.
   *
   * @throws HypervisorError when no guest boots here.
   */
  async start(): Promise<void> {
    const { dataDir, hypervisor, templateBudgetBytes = 8 * 1024 ** 3, concurrentBoots } = this.#options
    const network = this.#options.network ?? null
    const capabilities = await hypervisor.probe()
    const registry = await VmRegistry.create(join(dataDir, 'vms'), this.#log)
    await mkdir(join(dataDir, 'logs'), { recursive: true, mode: 0o700 })
    const templates = await TemplateStore.open(
      join(dataDir, 'templates'),
      templateBudgetBytes,
      capabilities,
      this.#log,
    )
    const limits = this.#limits(capabilities.timeoutFactor)
    const onGuestStream = this.#options.onGuestStream ?? ((_id, _service, stream) => stream.destroy())
    const runtimes = await RuntimeTemplates.create({
      hypervisor,
      templates,
      dataDir,
      bootMs: limits.bootMs,
      log: this.#log,
    })
    const slots = new BootSlots(concurrentBoots ?? availableParallelism())
    const starter = new MachineStarter(
      { hypervisor, templates, runtimes, slots, limits, network, log: this.#log, onGuestStream },
      this.#options.standbys ??
        (capabilities.accelerator === 'none' ? 0 : defaultStandbys(this.#capacity.budget.memoryMiB)),
    )
    const onState = (info: VmInfo) => this.emit('state', info)
    const context = {
      hypervisor,
      network,
      starter,
      templates,
      registry,
      capacity: this.#capacity,
      log: this.#log,
      onState,
      onGuestStream,
    }
    this.#parts = { context, capabilities, connectMs: limits.restoreMs }
    await this.#takeOver(registry, hypervisor)
  }

  /** What the probe found; only after `start`. */
  get capabilities(): HypervisorCapabilities {
    return this.#started().capabilities
  }

  /** Whether instances with confidential memory run here. `sysfs`: root of the kernel's device tree. */
  confidential(sysfs: string): Promise<ConfidentialSupport> {
    return this.#options.hypervisor.confidential(sysfs)
  }

  /** The budget and what of it is in use. */
  get capacity(): { budget: CapacityBudget; used: CapacityBudget } {
    return { budget: this.#capacity.budget, used: this.#capacity.used }
  }

  /** VMs of whose memory there are snapshots. */
  get snapshotOwners(): string[] {
    return this.#parts?.context.templates.programs() ?? []
  }

  /** How many paused clones wait for the next start of their VM. */
  get standbyCount(): number {
    return this.#parts?.context.starter.standbyCount ?? 0
  }

  /**
   * The VM with its program listening; simultaneous calls share one start, and a specification that
   * changed restarts it.
   *
   * @throws VmStartError
   */
  async ensureRunning(spec: VmSpec): Promise<RunningVm> {
    assertSpec(spec)
    if (this.#closing) throw new VmStartError('stopped', 'the node is shutting down')
    const { context } = this.#started()
    let vm = this.#vms.get(spec.id)
    if (!vm) {
      vm = new Vm(spec, this.#consoleOf(spec), context)
      this.#vms.set(spec.id, vm)
      await this.#forgetOldest()
    }
    return vm.ensureRunning(spec)
  }

  /** Asks the program to end, and kills the VM after the grace (0: at once). Its log stays. */
  async stop(id: string, graceMs = defaultStopGraceMs): Promise<void> {
    const vm = this.#vms.get(id)
    if (!vm) return
    await vm.stop(graceMs)
    await this.#started().context.starter.endRest(id)
    vm.prepareNextStart()
  }

  /**
   * Lets a program that nobody calls rest: `stopped`, with all it has in memory, from where its next start goes on.
   * One that may not rest, or holds too much memory for that, is stopped.
   */
  async suspend(id: string, graceMs = defaultStopGraceMs): Promise<void> {
    const vm = this.#vms.get(id)
    if (!vm) return
    await vm.suspend(graceMs)
    vm.prepareNextStart()
  }

  /** Stops the VM at once and deletes everything of it, its snapshots included. */
  async destroy(id: string): Promise<void> {
    const vm = this.#vms.get(id)
    await vm?.stop(0)
    this.#vms.delete(id)
    const { registry, starter, templates } = this.#started().context
    await Promise.all([registry.remove(id), starter.forget(id)])
    await templates.discardOf(id)
    await vm?.console.remove()
  }

  /**
   * Lets a running VM stand still, everything it wrote on its disks, while `work` runs.
   *
   * @throws VmNotRunningError
   */
  async whilePaused<T>(id: string, work: () => Promise<T>): Promise<T> {
    const vm = this.#vms.get(id)
    if (!vm) throw new VmNotRunningError(id)
    return vm.whilePaused(work)
  }

  /**
   * What the owner of a running instance with confidential memory does.
   *
   * @throws VmNotRunningError
   */
  launchControl(id: string): LaunchControl {
    const vm = this.#vms.get(id)
    if (!vm) throw new VmNotRunningError(id)
    return vm.launchControl
  }

  /** Replaces the ports that lead into a running instance. */
  async setForwards(id: string, forwards: PortForward[]): Promise<void> {
    await this.#vms.get(id)?.setForwards(forwards)
  }

  /** Every VM but replicas. */
  list(): VmInfo[] {
    return this.#infos().filter(({ replicaOf }) => replicaOf === undefined)
  }

  /** Further VMs of programs that have several. */
  replicas(): VmInfo[] {
    return this.#infos().filter(({ replicaOf }) => replicaOf !== undefined)
  }

  get(id: string): VmInfo | undefined {
    return this.#vms.get(id)?.info
  }

  /** The VM's console, also after it stopped; nothing for an unknown VM. */
  async *logs(id: string, options: LogOptions = {}): AsyncIterable<LogLine> {
    const vm = this.#vms.get(id)
    if (vm) yield* vm.console.read(options)
  }

  /** Stops every VM; no new ones start. */
  async stopAll(graceMs = defaultStopGraceMs): Promise<void> {
    this.#closing = true
    await this.#parts?.context.starter.close()
    await Promise.all([...this.#vms.values()].map((vm) => vm.stop(graceMs)))
    await this.#options.hypervisor.close()
    await this.#options.network?.close()
    await Promise.all([...this.#vms.values()].map((vm) => vm.console.flush()))
  }

  /** Leaves running VMs to the next supervisor on this data directory; calls off starts. */
  async detach(): Promise<void> {
    this.#closing = true
    await this.#parts?.context.starter.close()
    await Promise.all([...this.#vms.values()].map((vm) => vm.detach()))
    await this.#options.hypervisor.close()
    await this.#options.network?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAll(0)
  }

  async #takeOver(registry: VmRegistry, hypervisor: Hypervisor): Promise<void> {
    const { context, connectMs } = this.#started()
    const records = await registry.load()
    const adopted = await Promise.all(
      records.map(async (record) => {
        const vm = new Vm(record.spec, this.#consoleOf(record.spec), context)
        this.#vms.set(record.spec.id, vm)
        return (await vm.resume(record, connectMs)) && record.machine ? [record.machine] : []
      }),
    )
    const running = adopted.flat()
    const killed = await hypervisor.sweep(running)
    await context.network?.start([...this.#vms.values()].flatMap((vm) => vm.openLink ?? []))
    if (running.length > 0 || killed > 0) {
      this.#log.info({ adopted: running.length, killed }, 'VMs of an earlier run')
    }
  }

  async #forgetOldest(): Promise<void> {
    const ended = this.list().filter(({ state }) => state === 'stopped' || state === 'failed')
    const surplus = ended.length - (this.#options.keepEnded ?? 1000)
    if (surplus <= 0) return
    const oldest = ended.sort((a, b) => (a.stoppedAt ?? 0) - (b.stoppedAt ?? 0)).slice(0, surplus)
    await Promise.all(oldest.map(({ id }) => this.destroy(id)))
  }

  #infos(): VmInfo[] {
    return [...this.#vms.values()].map((vm) => vm.info)
  }

  /** A replica's lines are put together apart, and kept in the log of its program's first VM as well. */
  #consoleOf(spec: VmSpec): ConsoleLog {
    const path = join(this.#options.dataDir, 'logs', `${spec.id}.log`)
    const console = new ConsoleLog(path, this.#options.logBytesPerVm ?? 2 * 1024 * 1024)
    const first = isInstance(spec) ? undefined : spec.replicaOf
    if (first !== undefined) console.on('line', ({ text }) => this.#vms.get(first)?.console.addLine(text))
    return console
  }

  #limits(factor: number) {
    const { bootMs = 10_000, programMs = 10_000, restoreMs = 3_000 } = this.#options.limits ?? {}
    return { bootMs: bootMs * factor, programMs: programMs * factor, restoreMs: restoreMs * factor }
  }

  #started() {
    if (!this.#parts) throw new TypeError('call start() before using the supervisor')
    return this.#parts
  }
}

function assertSpec(spec: VmSpec): void {
  const problem = !idPattern.test(spec.id)
    ? 'id must be 1 to 128 letters, digits, "-" or "_"'
    : !Number.isInteger(spec.vcpus) || spec.vcpus < 1 || spec.vcpus > 64
      ? `vcpus must be an integer from 1 to 64, not ${spec.vcpus}`
      : !Number.isInteger(spec.memoryMiB) || spec.memoryMiB < 64 || spec.memoryMiB > 1024 * 1024
        ? `memoryMiB must be an integer from 64 to 1048576, not ${spec.memoryMiB}`
        : null
  if (problem) throw new VmStartError('invalid_spec', `VM specification: ${problem}`)
}
