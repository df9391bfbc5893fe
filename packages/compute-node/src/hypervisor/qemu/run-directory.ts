import { createHash } from 'node:crypto'
import { chown, lstat, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HypervisorError } from '../hypervisor.ts'

/**
 * Sockets and pid files of this node's machines, one folder per launch.
 *
 * They stand outside the data directory because a UNIX socket path may have 107 bytes only, and because
 * QEMU's own user must reach them whatever the permissions above the data directory are.
 */
export class RunDirectory {
  readonly #base: string

  /** One per data directory: two nodes on a host never see each other's machines. */
  constructor(dataDir: string) {
    const node = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
    this.#base = join(tmpdir(), `aleph-vm-${ownUid()}-${node}`)
  }

  /** Paths of one launch; nothing is created. */
  paths(launchId: string): LaunchPaths {
    const directory = join(this.#base, launchId)
    return {
      directory,
      qmp: join(directory, 'qmp'),
      console: join(directory, 'console'),
      channel: join(directory, 'channel'),
      migration: join(directory, 'migration'),
      pidFile: join(directory, 'pid'),
      vm: join(directory, 'vm'),
    }
  }

  async open(launchId: string, owner: { uid: number; gid: number } | null): Promise<LaunchPaths> {
    const paths = this.paths(launchId)
    for (let attempt = 0; ; attempt++) {
      await mkdir(this.#base, { recursive: true, mode: 0o711 })
      await this.#assertOurs()
      try {
        await mkdir(paths.directory, { mode: 0o700 })
        break
      } catch (error) {
        // The machine that ended just now may have taken the base with it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt >= 10) throw error
      }
    }
    if (owner) await chown(paths.directory, owner.uid, owner.gid)
    return paths
  }

  /** Notes which VM runs here, for whoever wonders about a process. */
  async label(launchId: string, vm: string): Promise<void> {
    await writeFile(this.paths(launchId).vm, `${vm}\n`, { mode: 0o644 })
  }

  async remove(launchId: string): Promise<void> {
    await rm(this.paths(launchId).directory, { recursive: true, force: true })
    // The last machine takes the folder of the node with it.
    await rmdir(this.#base).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error
    })
  }

  async launchIds(): Promise<string[]> {
    try {
      await this.#assertOurs()
      return await readdir(this.#base)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  /** Anybody may have made a folder of this name in the system's temporary folder before us. */
  async #assertOurs(): Promise<void> {
    const found = await lstat(this.#base)
    if (!found.isDirectory() || found.uid !== ownUid() || (found.mode & 0o022) !== 0) {
      throw new HypervisorError(
        'hypervisor_failed',
        `${this.#base} belongs to somebody else or is writable by others; remove it or set TMPDIR`,
      )
    }
  }

  async readPid(launchId: string): Promise<number | null> {
    try {
      const pid = Number((await readFile(this.paths(launchId).pidFile, 'utf8')).trim())
      return Number.isSafeInteger(pid) && pid > 1 ? pid : null
    } catch {
      return null
    }
  }
}

function ownUid(): number {
  return process.getuid?.() ?? 0
}

export interface LaunchPaths {
  directory: string
  qmp: string
  console: string
  channel: string
  migration: string
  pidFile: string
  /** Holds the id of the VM that runs in the process. */
  vm: string
}
