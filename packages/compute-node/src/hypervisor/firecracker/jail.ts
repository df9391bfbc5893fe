import { chmod, chown, copyFile, link, mkdir, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { HypervisorError } from '../hypervisor.ts'
import type { ProcessUser } from '../qemu/unprivileged-user.ts'
import { machineFiles } from './machine-calls.ts'

/** How Firecracker is started: by its jailer, as a user of its own and in a root of its own, or as ourselves. */
export interface JailOptions {
  /** Path of Firecracker. */
  binary: string
  /** Path of its jailer; null: none, as when this node is not root. */
  jailer: string | null
  /** Folder of all machines. */
  base: string
}

/** Where the jailer keeps machines' folders. */
export function jailsFolder({ base, binary }: JailOptions): string {
  return join(base, basename(binary))
}

/** The folder a machine sees as its root, or has as its working folder when there is no jailer. */
export function jailFolder(options: JailOptions, launchId: string): string {
  return join(jailsFolder(options), launchId, 'root')
}

/** File and arguments of the process. */
export function jailCommand(
  options: JailOptions,
  launchId: string,
  user: ProcessUser | null,
): { file: string; args: string[] } {
  const { binary, jailer, base } = options
  const own = ['--api-sock', machineFiles.api]
  if (jailer === null || !user) return { file: binary, args: ['--id', launchId, ...own] }
  const identity = ['--id', launchId, '--uid', String(user.uid), '--gid', String(user.gid)]
  return {
    file: jailer,
    args: [...identity, '--exec-file', binary, '--chroot-base-dir', base, '--', ...own],
  }
}

/** Puts files of the host in the machine's folder, for its user to read, or to write where they are its own. */
export class Jail {
  readonly folder: string
  readonly #user: ProcessUser | null

  constructor(folder: string, user: ProcessUser | null) {
    this.folder = folder
    this.#user = user
  }

  async make(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o755 })
    if (this.#user) await chown(this.folder, this.#user.uid, this.#user.gid)
  }

  async place(name: string, path: string, writable = false): Promise<void> {
    const target = join(this.folder, name)
    if (!this.#user) return symlink(path, target)
    try {
      await link(path, target)
    } catch (error) {
      const elsewhere = (error as NodeJS.ErrnoException).code === 'EXDEV'
      if (!elsewhere || writable) throw notPlaced(path, error)
      await copyFile(path, target)
    }
    if (writable) await chown(target, this.#user.uid, this.#user.gid)
    else await chmod(target, 0o644)
  }
}

function notPlaced(path: string, cause: unknown): HypervisorError {
  const reason = (cause as Error).message
  return new HypervisorError('hypervisor_failed', `${path} cannot be given to a machine: ${reason}`, {
    cause,
  })
}
