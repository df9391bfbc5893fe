import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AgentError } from '../errors.ts'
import { runTool } from '../volumes/volume-store.ts'

const QCOW2_MAGIC = 0x514649fb
const EXTERNAL_DATA = 1n << 2n
const HEADER_BYTES = 104

/** A published root disk that instances start from; it never changes. */
export interface ParentImage {
  path: string
  format: 'raw' | 'qcow2'
  /** Size of the disk as a guest sees it. */
  bytes: number
}

/**
 * Parents of instances' disks, by content hash. A qcow2 file comes from anybody and may name other files of
 * the host to be read as its content: such are refused, and what is accepted is written anew, without
 * anything of the original's headers (protocol 05 §23 S2).
 */
export class ParentImages {
  readonly #dir: string
  readonly #making = new Map<string, Promise<ParentImage>>()

  constructor(dir: string) {
    this.#dir = dir
  }

  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#dir)) {
      if (name.endsWith('.part')) await rm(join(this.#dir, name), { force: true })
    }
  }

  /** The usable parent of a verified download. Throws AgentError `broken_archive` or `build_failed`. */
  async of(file: { path: string; sha256: string }): Promise<ParentImage> {
    let making = this.#making.get(file.sha256)
    if (!making) {
      making = this.#make(file).finally(() => this.#making.delete(file.sha256))
      this.#making.set(file.sha256, making)
    }
    return making
  }

  /** A parent made before; null when it is gone. */
  async find(sha256: string): Promise<ParentImage | null> {
    for (const format of ['qcow2', 'raw'] as const) {
      const path = join(this.#dir, `${sha256}.${format}`)
      const bytes = await diskBytes(path, format).catch(() => null)
      if (bytes !== null) return { path, format, bytes }
    }
    return null
  }

  /** Deletes parents no instance has any more. */
  async prune(inUse: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#dir)) {
      const sha256 = name.split('.', 1)[0] ?? ''
      if (!inUse.has(sha256) && !this.#making.has(sha256)) await rm(join(this.#dir, name), { force: true })
    }
  }

  async #make({ path, sha256 }: { path: string; sha256: string }): Promise<ParentImage> {
    const made = await this.find(sha256)
    if (made) return made
    const format = (await isQcow2(path)) ? 'qcow2' : 'raw'
    const target = join(this.#dir, `${sha256}.${format}`)
    const part = `${target}.part`
    if (format === 'raw') await link(path, part)
    else {
      await assertSelfContained(path)
      await runTool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'qcow2', path, part], 'qemu-utils')
    }
    await rename(part, target)
    return { path: target, format, bytes: await diskBytes(target, format) }
  }
}

/** Whether a file begins as qcow2 images do. */
export async function isQcow2(path: string): Promise<boolean> {
  return (await readHeader(path)).readUInt32BE(0) === QCOW2_MAGIC
}

/** Size of a disk as a guest sees it. */
export async function diskBytes(path: string, format: 'raw' | 'qcow2'): Promise<number> {
  if (format === 'raw') return (await stat(path)).size
  return Number((await readHeader(path)).readBigUInt64BE(24))
}

/** Whether there is a qcow2 image that reads no other file. */
export async function standsAlone(path: string): Promise<boolean> {
  const header = await readHeader(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  return header !== null && header.readBigUInt64BE(8) === 0n
}

/** Refuses a qcow2 image that reads other files, or that nobody here has the key for. */
export async function assertSelfContained(path: string): Promise<void> {
  const header = await readHeader(path)
  const version = header.readUInt32BE(4)
  const problem =
    version !== 2 && version !== 3
      ? `is of an unknown version ${version}`
      : header.readBigUInt64BE(8) !== 0n
        ? 'names a backing file'
        : header.readUInt32BE(32) !== 0
          ? 'is encrypted'
          : version === 3 && (header.readBigUInt64BE(72) & EXTERNAL_DATA) !== 0n
            ? 'keeps its data in another file'
            : null
  if (problem) throw new AgentError('broken_archive', `The disk image ${problem}; publish it flattened`)
}

async function readHeader(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    await file.read(header, 0, HEADER_BYTES, 0)
    return header
  } finally {
    await file.close()
  }
}
