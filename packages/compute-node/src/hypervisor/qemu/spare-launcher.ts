import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Accelerator, LaunchRequest, MachineShape } from '../hypervisor.ts'
import { qemuArguments } from './command-line.ts'
import { QemuMachine } from './qemu-machine.ts'
import type { RunDirectory } from './run-directory.ts'
import { SparePool } from './spare-pool.ts'
import { endSpare, fitsSpare, restoreInSpare, type SpareProcess, startSpare } from './spare-process.ts'
import type { UserPlan } from './unprivileged-user.ts'

/** Snapshots or images are on another file system, or are somebody else's. */
const mayNotLink = new Set(['EXDEV', 'EPERM'])

interface SpareLauncherOptions {
  /** Shapes of machines that a process waits for. */
  limit: number
  dataDir: string
  run: RunDirectory
  users: UserPlan
  /** Puts a process under the limits of a machine. */
  place(launchId: string, pid: number, shape: MachineShape): Promise<void> | undefined
  /** Removes what a process had on the host. */
  release(launchId: string): Promise<void>
  log: Logger
}

/**
 * Starts machines from snapshots in processes that wait for one: starting QEMU takes longer than restoring a machine in
 * it.
 */
export class SpareLauncher {
  readonly #options: SpareLauncherOptions
  readonly #pool: SparePool<SpareProcess>
  /** Where the files of machines are linked to while they are restored. */
  readonly #folder: string

  constructor(options: SpareLauncherOptions) {
    this.#options = options
    this.#pool = new SparePool(options.limit, options.log)
    this.#folder = join(options.dataDir, 'spares')
  }

  /** The machine in a process that waited for it; null when none did, or it would not have it. */
  async launch(
    accelerator: Exclude<Accelerator, 'none'>,
    { id, shape, start, onConsole, signal }: LaunchRequest,
  ): Promise<QemuMachine | null> {
    if (start.kind !== 'restore' || !fitsSpare(shape)) return null
    const { run, users, log } = this.#options
    const spare = await this.#pool.take(kindOf(shape), {
      make: () => this.#start(accelerator, shape),
      isUsable: ({ qmp }) => !qmp.closed,
      end: (unused) => this.#end(unused),
    })
    if (!spare) return null
    const startedAt = performance.now()
    try {
      spare.console.on('data', onConsole)
      await run.label(spare.launchId, id)
      await restoreInSpare(spare, shape, start, users.memoryGroup)
    } catch (error) {
      await this.#end(spare)
      if (start.memory !== undefined) await rm(start.memory, { force: true })
      if (signal?.aborted) throw error
      if (mayNotLink.has(String((error as NodeJS.ErrnoException).code))) {
        log.info({ err: error }, 'no process can wait for snapshots here: their files cannot be linked')
        await this.close()
      } else log.warn({ err: error, vm: id }, 'a process that waited for a snapshot did not take it')
      return null
    }
    const { launchId, host, qemu, ...parts } = spare
    const machineLog = log.child({ vm: id, pid: host.pid })
    machineLog.debug({ start: 'spare', runningMs: performance.now() - startedAt }, 'QEMU runs')
    return new QemuMachine({
      ...parts,
      record: { hypervisor: 'qemu', launchId, pid: host.pid, pidStartTicks: host.startTicks },
      host,
      log: machineLog,
      release: () => this.#options.release(launchId),
      lastWords: qemu.lastWords,
    })
  }

  /** Removes what processes of an earlier run left. */
  async sweep(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async #start(accelerator: Exclude<Accelerator, 'none'>, shape: MachineShape): Promise<SpareProcess> {
    const { users, run, place, release } = this.#options
    const launchId = randomBytes(8).toString('hex')
    const user = users.userFor(launchId, accelerator)
    const paths = await run.open(launchId, user)
    const folder = join(this.#folder, launchId)
    let spare: SpareProcess | undefined
    try {
      spare = await startSpare({
        launchId,
        paths,
        folder,
        args: qemuArguments({
          id: launchId,
          accelerator,
          boot: null,
          shape,
          sets: [],
          paths,
          incoming: true,
          spare: true,
        }),
        user: user && { ...user, gid: users.memoryGroup ?? user.gid },
      })
      await place(launchId, spare.host.pid, shape)
      return spare
    } catch (error) {
      if (spare) await endSpare(spare)
      await rm(folder, { recursive: true, force: true })
      await release(launchId)
      throw error
    }
  }

  async #end(spare: SpareProcess): Promise<void> {
    await endSpare(spare)
    await this.#options.release(spare.launchId)
  }
}

/** What processes that wait differ in. */
function kindOf({ vcpus, memoryMiB, disks }: MachineShape): string {
  return JSON.stringify([vcpus, memoryMiB, disks.map(({ serial }) => serial)])
}
