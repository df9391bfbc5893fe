import { execFile } from 'node:child_process'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AgentError } from '../errors.ts'

const run = promisify(execFile)
const MIB = 1024 * 1024
const TOOL_TIMEOUT_MS = 120_000
/** The user programs run as inside a guest. */
const GUEST_USER = '1000:1000'

/**
 * Disks of VMs that outlive them, one folder per VM (protocol 05 §6.8). Files are sparse: what a VM did not
 * write costs nothing.
 */
export class VolumeStore {
  readonly #dir: string
  readonly #making = new Map<string, Promise<string>>()

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Makes the folder and removes what interrupted work left behind. */
  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    for (const vm of await readdir(this.#dir)) {
      for (const name of await readdir(join(this.#dir, vm))) {
        if (name.endsWith('.part')) await rm(join(this.#dir, vm, name), { force: true })
      }
    }
  }

  /**
   * Path of a VM's volume, made as an empty ext4 file system at its first use. An existing one is left as it
   * is. Throws AgentError `build_failed` or `not_enough_disk`.
   */
  async volume(vm: string, name: string, sizeMiB: number): Promise<string> {
    return this.file(vm, volumeFileName(name), (part) => makeFileSystem(part, sizeMiB))
  }

  /** Path of a file of the VM's folder, made whole by `make` when there is none. */
  async file(vm: string, name: string, make: (part: string) => Promise<void>): Promise<string> {
    const path = join(this.folder(vm), name)
    let making = this.#making.get(path)
    if (!making) {
      making = this.#make(path, make).finally(() => this.#making.delete(path))
      this.#making.set(path, making)
    }
    return making
  }

  /** Every VM that has files. */
  owners(): Promise<string[]> {
    return readdir(this.#dir)
  }

  /** Where everything of one VM is. */
  folder(vm: string): string {
    return join(this.#dir, vm)
  }

  /** Deletes a VM's files: all, or those whose names the filter takes. */
  async remove(vm: string, filter: (name: string) => boolean = () => true): Promise<void> {
    const names = await readdir(this.folder(vm)).catch(emptyIfAbsent)
    for (const name of names.filter(filter)) await rm(join(this.folder(vm), name), { force: true })
    if (names.every(filter)) await rm(this.folder(vm), { recursive: true, force: true })
  }

  /** Bytes that all disks together may still grow by. */
  async promisedBytes(): Promise<number> {
    let total = 0
    for (const vm of await readdir(this.#dir).catch(emptyIfAbsent)) {
      for (const name of await readdir(this.folder(vm)).catch(emptyIfAbsent)) {
        total += await growth(join(this.folder(vm), name))
      }
    }
    return total
  }

  async #make(path: string, make: (part: string) => Promise<void>): Promise<string> {
    if (await exists(path)) return path
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
    const part = `${path}.part`
    try {
      await make(part)
      await rename(part, path)
      return path
    } catch (error) {
      await rm(part, { force: true })
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
        throw new AgentError('not_enough_disk', 'The disk of the node is full', { cause: error })
      }
      throw error
    }
  }
}

/** The file a volume is kept in. */
export function volumeFileName(name: string): string {
  return `${name.replaceAll('/', '%2F')}.ext4`
}

async function makeFileSystem(path: string, sizeMiB: number): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.truncate(sizeMiB * MIB)
  } finally {
    await file.close()
  }
  const options = [`root_owner=${GUEST_USER}`, 'lazy_itable_init=1', 'lazy_journal_init=1', 'nodiscard']
  await runTool('mke2fs', ['-q', '-F', '-t', 'ext4', '-m', '0', '-E', options.join(','), path], 'e2fsprogs')
}

/** Runs a tool of the host. Throws AgentError `build_failed` with the command to type when it is missing. */
export async function runTool(tool: string, args: string[], debianPackage: string): Promise<string> {
  try {
    // Tools of administrators are not on everybody's path.
    const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
    const { stdout } = await run(tool, args, { timeout: TOOL_TIMEOUT_MS, env, maxBuffer: 4 * MIB })
    return stdout
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const reason = missing
      ? `${tool} is missing on this node: apt-get install ${debianPackage}`
      : `${tool} failed on this node`
    throw new AgentError('build_failed', reason, { cause: error })
  }
}

/** How much larger a disk's content may become than it is; of qcow2 the header says how large it looks. */
async function growth(path: string): Promise<number> {
  const file = await open(path, 'r').catch(() => null)
  if (!file) return 0
  try {
    const { size, blocks } = await file.stat()
    const header = Buffer.alloc(32)
    const { bytesRead } = await file.read(header, 0, 32, 0)
    const isQcow2 = bytesRead === 32 && header.readUInt32BE(0) === 0x514649fb
    const full = isQcow2 ? Number(header.readBigUInt64BE(24)) : size
    return Math.max(0, full - blocks * 512)
  } finally {
    await file.close()
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function emptyIfAbsent(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return []
  throw error
}
