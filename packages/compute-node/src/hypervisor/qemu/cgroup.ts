import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HypervisorError, type MachineShape } from '../hypervisor.ts'

const controllers = ['cpu', 'memory', 'pids']
const cpuPeriodMicros = 100_000
/** What QEMU itself needs beside the guest's memory. */
const overheadMiB = 256
const tasksBesideVcpus = 64
const removeAttempts = 20
const removeRetryMs = 50

/**
 * Limits of machines by cgroup v2, in a folder that was delegated to this node (systemd: `Delegate=yes`): of
 * processor time, memory and tasks. A machine that exceeds its memory is ended by the kernel, and it alone.
 */
export class MachineCgroups {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws HypervisorError when the folder is no cgroup that this node may divide. */
  static async open(folder: string): Promise<MachineCgroups> {
    const offered = await readFile(join(folder, 'cgroup.controllers'), 'utf8').catch(() => '')
    const missing = controllers.filter((name) => !offered.trim().split(/\s+/).includes(name))
    if (missing.length > 0) {
      throw new HypervisorError(
        'hypervisor_failed',
        `ALEPH_VM_CGROUP: ${folder} does not offer the cgroup v2 controllers ${missing.join(', ')}; delegate them, or leave the setting empty`,
      )
    }
    try {
      await writeFile(join(folder, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '))
    } catch (error) {
      throw new HypervisorError(
        'hypervisor_failed',
        `ALEPH_VM_CGROUP: ${folder} cannot be divided; it must be writable and hold no process of its own`,
        { cause: error },
      )
    }
    return new MachineCgroups(folder)
  }

  /** Puts a machine's process under the limits of its shape. */
  async place(launchId: string, pid: number, { vcpus, memoryMiB }: MachineShape): Promise<void> {
    const folder = join(this.#folder, launchId)
    await mkdir(folder, { recursive: true })
    const limits = {
      'cpu.max': `${vcpus * cpuPeriodMicros} ${cpuPeriodMicros}`,
      'memory.max': String((memoryMiB + overheadMiB) * 1024 * 1024),
      // All of the machine or nothing: half a machine helps nobody.
      'memory.oom.group': '1',
      'pids.max': String(vcpus + tasksBesideVcpus),
    }
    for (const [name, value] of Object.entries(limits)) await writeFile(join(folder, name), value)
    // Memory beyond the limit shall not become traffic of the host's disk; absent on hosts without swap accounting.
    await writeFile(join(folder, 'memory.swap.max'), '0', { flag: 'r+' }).catch(unlessAbsent)
    await writeFile(join(folder, 'cgroup.procs'), String(pid))
  }

  /** Gives up the group of a machine that is gone. */
  async remove(launchId: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await rmdir(join(this.#folder, launchId))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') return
        // A process that ended counts until it is reaped.
        if (code !== 'EBUSY' || attempt === removeAttempts) throw error
        await sleep(removeRetryMs)
      }
    }
  }

  /** Gives up groups of machines that are not kept, as after a crash of this node. */
  async sweep(kept: ReadonlySet<string>): Promise<void> {
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      if (entry.isDirectory() && /^[0-9a-f]{16}$/.test(entry.name) && !kept.has(entry.name)) {
        await this.remove(entry.name)
      }
    }
  }
}

function unlessAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
