import { link, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { assertSelfContained, type DiskFormat, diskBytes, isQcow2 } from '../volumes/disk-image.ts'
import { runTool } from '../volumes/volume-store.ts'

/** A published root disk that instances start from; it never changes. */
export interface ParentImage {
  path: string
  format: DiskFormat
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
