import { createHash, randomBytes } from 'node:crypto'
import { readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import {
  type ConfidentialSupport,
  type Hypervisor,
  type HypervisorCapabilities,
  HypervisorError,
  type LaunchRequest,
  type Machine,
  type MachineRecord,
} from '../hypervisor.ts'
import type { BootImages } from '../qemu/boot-images.ts'
import type { MachineCgroups } from '../qemu/cgroup.ts'
import { type HostProcess, identifyProcess, killProcess, processArguments } from '../qemu/host-process.ts'
import { bootProbeGuest } from '../qemu/probe.ts'
import { findProcess } from '../qemu/qemu-machine.ts'
import { type LaunchPaths, RunDirectory } from '../qemu/run-directory.ts'
import { connectWhenReady } from '../qemu/socket-connect.ts'
import type { UserPlan } from '../qemu/unprivileged-user.ts'
import { callApi } from './api-client.ts'
import { FirecrackerMachine } from './firecracker-machine.ts'
import {
  type FirecrackerProcess,
  firecrackerVersion,
  makeConsolePipe,
  openConsole,
  processEnd,
  spawnFirecracker,
} from './firecracker-process.ts'
import { Jail, type JailOptions, jailCommand, jailFolder, jailsFolder } from './jail.ts'
import { machineFiles, restoreCalls, startCalls } from './machine-calls.ts'

/** Part of every snapshot's key: bump it when the machine that a guest sees changes. */
const machineRevision = 1
/** A guest that takes longer does not boot under KVM. */
const defaultProbeTimeoutMs = 6_000

export interface FirecrackerHypervisorOptions {
  dataDir: string
  images: BootImages
  /** Limits of machines. */
  cgroups: MachineCgroups | null
  /** Whom machines run as. */
  users: UserPlan
  /** Path of the program. */
  binary: string
  /** Path of its jailer; null: none, as when this node is not root. */
  jailer: string | null
  /** How long the guest of the probe may take. Default 6,000 ms. */
  probeTimeoutMs?: number
  log: Logger
}

/** Machines as Firecracker processes of their own, which survive this one; those of programs alone (protocol 05 §21). */
export class FirecrackerHypervisor implements Hypervisor {
  readonly #options: FirecrackerHypervisorOptions
  readonly #jails: JailOptions
  /** Short paths to machines' folders: a socket's may have 107 bytes only. */
  readonly #run: RunDirectory
  #capabilities: HypervisorCapabilities | null = null

  constructor(options: FirecrackerHypervisorOptions) {
    this.#options = options
    const { binary, jailer, dataDir } = options
    this.#jails = { binary, jailer, base: join(dataDir, 'jailer') }
    this.#run = new RunDirectory(this.#jails.base)
  }

  async probe(): Promise<HypervisorCapabilities> {
    this.#capabilities ??= await this.#probe()
    return this.#capabilities
  }

  async #probe(): Promise<HypervisorCapabilities> {
    const { binary, images, probeTimeoutMs = defaultProbeTimeoutMs, log } = this.#options
    const version = await firecrackerVersion(binary)
    const probeBootMs = await bootProbeGuest((request) => this.launch(request), probeTimeoutMs, log)
    const inputs = [version, images.key, images.kernelCommandLine, cpus()[0]?.model, machineRevision]
    return {
      hypervisor: 'firecracker',
      accelerator: 'kvm',
      version,
      probeBootMs,
      fingerprint: createHash('sha256').update(JSON.stringify(inputs)).digest('hex'),
      timeoutFactor: 1,
    }
  }

  async confidential(): Promise<ConfidentialSupport> {
    return { available: false, reason: 'Firecracker has no confidential machines' }
  }

  async launch(request: LaunchRequest): Promise<Machine> {
    const launchId = randomBytes(8).toString('hex')
    const planned = this.#options.users.userFor(launchId, 'kvm')
    const user = this.#options.jailer === null ? null : planned
    const jail = new Jail(jailFolder(this.#jails, launchId), user)
    try {
      await jail.make()
      await this.#furnish(jail, request)
      const paths = await this.#openRun(launchId, jail.folder)
      const command = jailCommand(this.#jails, launchId, user)
      const firecracker = await spawnFirecracker(command, jail.folder, paths.console)
      await writeFile(paths.pidFile, String(firecracker.pid), { mode: 0o600 })
      return await this.#bringUp(firecracker, launchId, paths, request)
    } catch (error) {
      await this.#release(launchId)
      throw error
    }
  }

  /** Puts everything the machine opens where it can. */
  async #furnish(jail: Jail, { shape, start }: LaunchRequest): Promise<void> {
    const { images } = this.#options
    for (const { serial, path, writable } of shape.disks) {
      await jail.place(machineFiles.disk(serial), path, writable)
    }
    if (start.kind === 'restore') {
      await jail.place(machineFiles.memory, start.snapshot.memory)
      await jail.place(machineFiles.state, start.snapshot.state)
    } else {
      await jail.place(machineFiles.kernel, images.kernel)
      await jail.place(machineFiles.initrd, images.initrd)
    }
  }

  async #bringUp(
    firecracker: FirecrackerProcess,
    launchId: string,
    paths: LaunchPaths,
    request: LaunchRequest,
  ): Promise<Machine> {
    const host = await identifyProcess(firecracker.pid)
    try {
      const assertWanted = () => {
        if (request.signal?.aborted) throw new HypervisorError('aborted', 'the start was called off')
        firecracker.assertRunning()
      }
      if (!host) throw new HypervisorError('hypervisor_failed', 'Firecracker ended at once')
      await this.#options.cgroups?.place(launchId, host.pid, request.shape)
      const folder = this.#folderOf(launchId)
      const api = join(folder, machineFiles.api)
      const connected = await connectWhenReady(api, request.timeoutMs, assertWanted)
      connected.destroy()
      const console = openConsole(paths.console, request.onConsole)
      const { kernelCommandLine } = this.#options.images
      const restores = request.start.kind === 'restore'
      const calls = restores ? restoreCalls() : startCalls(request.shape, kernelCommandLine)
      try {
        for (const call of calls) await callApi(api, call)
      } catch (error) {
        console.destroy()
        throw error
      }
      firecracker.letGo()
      return new FirecrackerMachine({
        record: { hypervisor: 'firecracker', launchId, pid: host.pid, pidStartTicks: host.startTicks },
        host,
        folder,
        console,
        ended: firecracker.ended,
        memory: request.start.memory ?? null,
        log: this.#options.log.child({ vm: request.id, pid: host.pid }),
        release: () => this.#release(launchId),
      })
    } catch (error) {
      if (host) await killProcess(host)
      throw error
    }
  }

  async adopt(record: MachineRecord, onConsole: (chunk: Uint8Array) => void): Promise<Machine | null> {
    const host = await findProcess(record)
    if (!host) return null
    const folder = this.#folderOf(record.launchId)
    const machine = new FirecrackerMachine({
      record,
      host,
      folder,
      console: openConsole(this.#run.paths(record.launchId).console, onConsole),
      ended: processEnd(host),
      // Templates are made of machines that were started for it, by the node that started them.
      memory: null,
      log: this.#options.log.child({ pid: host.pid }),
      release: () => this.#release(record.launchId),
    })
    await machine.resume()
    return machine
  }

  async sweep(keep: MachineRecord[]): Promise<number> {
    const kept = new Set(keep.map(({ launchId }) => launchId))
    let killed = 0
    for (const launchId of await this.#launchIds()) {
      if (kept.has(launchId)) continue
      const host = await this.#processOf(launchId)
      if (host) {
        await killProcess(host)
        killed++
      }
      await this.#release(launchId)
    }
    return killed
  }

  async close(): Promise<void> {}

  /** Those that have a folder, whatever became of their processes. */
  async #launchIds(): Promise<string[]> {
    const names = await readdir(jailsFolder(this.#jails)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return names.filter((name) => /^[0-9a-f]{16}$/.test(name))
  }

  async #processOf(launchId: string): Promise<HostProcess | null> {
    const pid = await this.#run.readPid(launchId)
    if (pid === null || !(await processArguments(pid)).includes(launchId)) return null
    return identifyProcess(pid)
  }

  /** A folder of a short path, which leads to the machine's. */
  async #openRun(launchId: string, folder: string): Promise<LaunchPaths> {
    const paths = await this.#run.open(launchId, null)
    await symlink(folder, this.#folderOf(launchId))
    await makeConsolePipe(paths.console)
    return paths
  }

  #folderOf(launchId: string): string {
    return join(this.#run.paths(launchId).directory, 'root')
  }

  async #release(launchId: string): Promise<void> {
    await this.#run.remove(launchId)
    await rm(join(jailsFolder(this.#jails), launchId), { recursive: true, force: true })
    await this.#options.cgroups?.remove(launchId)
  }
}
