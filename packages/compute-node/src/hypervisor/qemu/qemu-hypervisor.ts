import { createHash, randomBytes } from 'node:crypto'
import { chown } from 'node:fs/promises'
import type { Logger } from 'pino'
import { createTap, removeTap } from '../../network/index.ts'
import type {
  Accelerator,
  ConfidentialSupport,
  Hypervisor,
  HypervisorCapabilities,
  LaunchRequest,
  Machine,
  MachineRecord,
  MachineShape,
} from '../hypervisor.ts'
import { HypervisorError } from '../hypervisor.ts'
import { type BootImages, kernelFor } from './boot-images.ts'
import { MachineCgroups } from './cgroup.ts'
import { cpuModel, machineRevision, qemuArguments } from './command-line.ts'
import type { DiskLimits } from './disk-limits.ts'
import { identifyProcess, isAlive, killProcess, processArguments } from './host-process.ts'
import { openMachineFiles } from './machine-files.ts'
import { loadDeviceState } from './migration.ts'
import { probeAccelerator } from './probe.ts'
import { findProcess, QemuMachine } from './qemu-machine.ts'
import { type QemuProcess, qemuVersion, spawnQemu } from './qemu-process.ts'
import { QmpClient } from './qmp-client.ts'
import { type LaunchPaths, RunDirectory } from './run-directory.ts'
import { querySevCapabilities } from './sev-capabilities.ts'
import { findSevSupport } from './sev-support.ts'
import { connectSocket, connectWhenReady } from './socket-connect.ts'
import { SpareLauncher } from './spare-launcher.ts'
import { type ProcessUser, planUsers, type UserPlan } from './unprivileged-user.ts'

export interface QemuHypervisorOptions {
  /** Remembers the probe's answer, and names the run directory. */
  dataDir: string
  images: BootImages
  /** Cgroup v2 folder for the limits of machines. */
  cgroup?: string | null
  /** What the writable disks of each machine may do; null: anything. */
  diskLimits?: DiskLimits | null
  /** For how many shapes of machines a process waits that the next snapshot goes on in. Default: none. */
  spareProcesses?: number
  log: Logger
}

/** Machines as QEMU processes of their own, which survive this one (protocol 05 §21). */
export class QemuHypervisor implements Hypervisor {
  readonly #options: QemuHypervisorOptions
  readonly #run: RunDirectory
  readonly #users: UserPlan
  readonly #cgroups: MachineCgroups | null
  readonly #spares: SpareLauncher
  #capabilities: HypervisorCapabilities | null = null

  private constructor(
    options: QemuHypervisorOptions,
    run: RunDirectory,
    users: UserPlan,
    cgroups: MachineCgroups | null,
  ) {
    this.#options = options
    this.#cgroups = cgroups
    this.#run = run
    this.#users = users
    this.#spares = new SpareLauncher({
      ...options,
      limit: options.spareProcesses ?? 0,
      run,
      users,
      place: (launchId, pid, shape) => cgroups?.place(launchId, pid, shape),
      release: (launchId) => this.#release(launchId),
    })
  }

  static async create(options: QemuHypervisorOptions): Promise<QemuHypervisor> {
    const cgroups = options.cgroup ? await MachineCgroups.open(options.cgroup) : null
    return new QemuHypervisor(options, new RunDirectory(options.dataDir), await planUsers(), cgroups)
  }

  async probe(): Promise<HypervisorCapabilities> {
    if (this.#capabilities) return this.#capabilities
    const { dataDir, images, log } = this.#options
    const version = await qemuVersion()
    const found = await probeAccelerator({
      dataDir,
      inputs: { version, images: images.key, machineRevision },
      log,
      launch: (accelerator, request) => this.#launch(accelerator, request),
    })
    const fingerprint = createHash('sha256')
      .update(
        JSON.stringify([
          version,
          images.key,
          images.kernelCommandLine,
          found.accelerator,
          cpuModel(found.accelerator),
          machineRevision,
        ]),
      )
      .digest('hex')
    this.#capabilities = {
      hypervisor: 'qemu',
      accelerator: found.accelerator,
      acceleratorReason: found.reason,
      probeBootMs: found.bootMs,
      version,
      fingerprint,
      timeoutFactor: found.accelerator === 'kvm' ? 1 : 5,
    }
    return this.#capabilities
  }

  async confidential(sysfs: string): Promise<ConfidentialSupport> {
    const { accelerator, acceleratorReason } = await this.probe()
    if (accelerator !== 'kvm') {
      return { available: false, reason: `guests do not run under KVM here: ${acceleratorReason}` }
    }
    return findSevSupport({ sysfs, queryCapabilities: querySevCapabilities })
  }

  async launch(request: LaunchRequest): Promise<Machine> {
    const { accelerator } = await this.probe()
    if (accelerator === 'none') throw new TypeError('QEMU always has an accelerator')
    return (await this.#spares.launch(accelerator, request)) ?? this.#launch(accelerator, request)
  }

  async close(): Promise<void> {
    await this.#spares.close()
  }

  async #launch(accelerator: Exclude<Accelerator, 'none'>, request: LaunchRequest): Promise<QemuMachine> {
    const { images, diskLimits } = this.#options
    const launchId = randomBytes(8).toString('hex')
    const user = this.#users.userFor(launchId, accelerator)
    const kernel = kernelFor(request.shape, images)
    const files = await openMachineFiles(request, kernel, this.#users.memoryGroup)
    try {
      const paths = await this.#run.open(launchId, user)
      try {
        await this.#run.label(launchId, request.id)
        const args = qemuArguments({
          id: request.id,
          accelerator,
          boot: files.boot && { ...files.boot, commandLine: kernel.kernelCommandLine },
          shape: {
            ...request.shape,
            disks: files.disks,
            ...(files.confidential && { confidential: files.confidential }),
          },
          sets: files.sets,
          paths,
          memory: files.memory,
          ...(diskLimits && { diskLimits }),
          incoming: request.start.kind === 'restore',
        })
        const { tap } = request.shape
        if (tap) await createTap(tap.name, user?.uid ?? 0)
        const runAs = user && { ...user, gid: files.memoryGroup ?? user.gid }
        await giveDevices(request.shape, runAs)
        const qemu = await spawnQemu(args, runAs, files.descriptors, pinsMemory(request.shape))
        await this.#cgroups?.place(launchId, qemu.pid, request.shape)
        return await this.#bringUp(qemu, launchId, paths, request, files.state)
      } catch (error) {
        await this.#release(launchId, request.shape.tap?.name)
        throw error
      }
    } finally {
      await files.close()
    }
  }

  async #bringUp(
    qemu: QemuProcess,
    launchId: string,
    paths: LaunchPaths,
    request: LaunchRequest,
    state: number | undefined,
  ): Promise<QemuMachine> {
    const startedAt = performance.now()
    const host = await identifyProcess(qemu.pid)
    try {
      const assertWanted = () => {
        if (request.signal?.aborted) throw new HypervisorError('aborted', 'the start was called off')
        qemu.assertRunning()
      }
      if (!host) throw new HypervisorError('hypervisor_failed', 'QEMU ended at once')
      const socket = await connectWhenReady(paths.qmp, request.timeoutMs, assertWanted)
      const qmp = await QmpClient.connect(paths.qmp, socket)
      const console = await connectSocket(paths.console)
      console.on('data', request.onConsole).on('error', () => {})
      // Connected before a clone runs, as it was in the snapshot, the guest has nothing to notice.
      const channel = state === undefined ? undefined : await connectSocket(paths.channel)
      channel?.on('error', () => {})
      const log = this.#options.log.child({ vm: request.id, pid: host.pid })
      const { tap } = request.shape
      const record: MachineRecord = {
        hypervisor: 'qemu',
        launchId,
        pid: host.pid,
        pidStartTicks: host.startTicks,
        ...(tap && { tap: tap.name }),
      }
      const machine = new QemuMachine({
        record,
        host,
        paths,
        qmp,
        console,
        ...(channel && { channel }),
        log,
        release: () => this.#release(launchId, record.tap),
        lastWords: qemu.lastWords,
      })
      qemu.letGo()
      const qmpMs = performance.now() - startedAt
      if (state !== undefined) await loadDeviceState(qmp, state)
      else if (!waitsForOwner(request.shape)) await qmp.execute('cont')
      log.debug({ start: request.start.kind, qmpMs, runningMs: performance.now() - startedAt }, 'QEMU runs')
      return machine
    } catch (error) {
      if (host && (await isAlive(host))) await killProcess(host)
      else {
        // QEMU's own words explain a lost socket better than the socket does.
        await qemu.ended
        qemu.assertRunning()
      }
      throw error
    }
  }

  async adopt(record: MachineRecord, onConsole: (chunk: Uint8Array) => void): Promise<Machine | null> {
    const host = await findProcess(record)
    if (!host) return null
    const paths = this.#run.paths(record.launchId)
    const qmp = await QmpClient.connect(paths.qmp)
    const console = await connectSocket(paths.console)
    console.on('data', onConsole).on('error', () => {})
    // A backup that was interrupted left it paused; before its first instruction it waits for its owner.
    const { status } = (await qmp.execute('query-status')) as { status?: unknown }
    if (status !== 'prelaunch') await qmp.execute('cont')
    return new QemuMachine({
      record,
      host,
      paths,
      qmp,
      console,
      log: this.#options.log.child({ pid: host.pid }),
      release: () => this.#release(record.launchId, record.tap),
      lastWords: () => '',
    })
  }

  async sweep(keep: MachineRecord[]): Promise<number> {
    const kept = new Set(keep.map((record) => record.launchId))
    let killed = 0
    for (const launchId of await this.#run.launchIds()) {
      if (kept.has(launchId)) continue
      const pid = await this.#run.readPid(launchId)
      if (pid !== null && (await this.#isOurs(pid, launchId))) {
        const host = await identifyProcess(pid)
        if (host) {
          await killProcess(host)
          killed++
        }
      }
      await this.#run.remove(launchId)
    }
    await this.#spares.sweep()
    await this.#cgroups?.sweep(kept)
    return killed
  }

  async #release(launchId: string, tap?: string): Promise<void> {
    if (tap !== undefined) await removeTap(tap)
    await this.#run.remove(launchId)
    await this.#cgroups?.remove(launchId)
  }

  /** The pid file can be written by the machine's user: believe it only if the process names our socket. */
  async #isOurs(pid: number, launchId: string): Promise<boolean> {
    const args = await processArguments(pid)
    return args.includes(this.#run.paths(launchId).pidFile)
  }
}

/** GPUs write to the guest's memory by themselves, and encrypted memory is bound to its place. */
function pinsMemory({ gpus = [], confidential }: MachineShape): boolean {
  return gpus.length > 0 || confidential !== undefined
}

/** A launch with a session is measured by its owner before it runs. */
function waitsForOwner({ confidential }: MachineShape): boolean {
  return confidential?.session !== undefined
}

/** Lets the machine's user open its GPUs, and nobody who had them before. */
async function giveDevices({ gpus = [] }: MachineShape, user: ProcessUser | null): Promise<void> {
  if (!user) return
  for (const { vfioGroup } of gpus) await chown(`/dev/vfio/${vfioGroup}`, user.uid, user.gid)
}
