import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type ProgramContent, sha256Hex } from '@aleph-ts/protocol'
import type { DiskImage } from '../../supervisor/index.ts'
import { AgentError } from '../errors.ts'
import { buildSquashfs, isSquashfs } from './squashfs.ts'
import { archiveKind, packTar } from './tar-archive.ts'
import { type ArchiveLimits, extractZip, isInside } from './zip-archive.ts'

/** Part of every key: raise it when equal inputs would give another image. */
const BUILDER_VERSION = 3

export interface CodeSource {
  encoding: 'plain' | 'zip' | 'squashfs'
  /** sha256 of the published file. */
  fileHash: string
  path: string
  /** Of plain code, the file it is put in. */
  entrypoint: string
  /** Whose files they are inside the guest: programs may only write over their own. */
  owner: 'root' | 'program'
}

export interface CodeImagesOptions {
  dir: string
  /** Bytes of built images kept; the least recently used go first, never one in use. */
  budgetBytes: number
  archiveLimits: ArchiveLimits
  /** Paths of images some VM still needs. */
  inUse: () => ReadonlySet<string>
}

/**
 * Turns published code of any encoding into the squashfs image a guest mounts at `/code` (protocol 05 §6.7).
 * Built images are kept by what they were built from; concurrent requests share one build.
 */
export class CodeImages {
  readonly #options: CodeImagesOptions
  readonly #images = new Map<string, DiskImage>()
  readonly #building = new Map<string, Promise<DiskImage>>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: CodeImagesOptions) {
    this.#options = options
  }

  /** Makes the folder and removes what interrupted builds left behind. */
  async start(): Promise<void> {
    await mkdir(this.#options.dir, { recursive: true })
    for (const name of await readdir(this.#options.dir)) {
      if (!name.endsWith('.squashfs'))
        await rm(join(this.#options.dir, name), { recursive: true, force: true })
    }
  }

  /** Throws AgentError `broken_archive`, `file_too_large`, `invalid_program` or `build_failed`. */
  async image(source: CodeSource): Promise<DiskImage> {
    if (source.encoding === 'squashfs') {
      if (!(await isSquashfs(source.path))) {
        throw new AgentError(
          'broken_archive',
          "The program's code is said to be squashfs but is no whole squashfs image",
        )
      }
      return { path: source.path, sha256: source.fileHash }
    }
    const parts = [BUILDER_VERSION, source.encoding, source.fileHash, source.entrypoint, source.owner]
    const key = sha256Hex(JSON.stringify(parts))
    const known = this.#images.get(key)
    if (known && (await touch(known.path))) return known
    let building = this.#building.get(key)
    if (!building) {
      building = this.#find(key, source).finally(() => this.#building.delete(key))
      this.#building.set(key, building)
    }
    return building
  }

  async #find(key: string, source: CodeSource): Promise<DiskImage> {
    const path = join(this.#options.dir, `${key}.squashfs`)
    if (!(await touch(path))) {
      // One build at a time: packing is CPU-bound, and running programs come first.
      const build = this.#turn.then(() => this.#build(source, path))
      this.#turn = build.catch(() => undefined)
      await build
    }
    const image = { path, sha256: await sha256OfFile(path) }
    this.#images.set(key, image)
    return image
  }

  async #build(source: CodeSource, path: string): Promise<void> {
    const work = await mkdtemp(join(this.#options.dir, 'build-'))
    try {
      await chmod(work, 0o700)
      const part = join(work, 'image')
      await this.#pack(source, join(work, 'code'), part)
      await rename(part, path)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
    await this.#evict(path)
  }

  async #pack(source: CodeSource, folder: string, image: string): Promise<void> {
    const { archiveLimits } = this.#options
    const kind = source.encoding === 'zip' ? await archiveKind(source.path) : null
    if (kind === 'tar' || kind === 'tar.gz') return packTar(source, kind, image, archiveLimits)
    if (source.encoding === 'zip') await extractZip(source.path, folder, archiveLimits)
    else await placePlainFile(source, folder)
    await makeExecutable(folder, source.entrypoint)
    await chmod(folder, 0o755)
    await buildSquashfs(folder, image, source.owner)
  }

  async #evict(justBuilt: string): Promise<void> {
    const names = (await readdir(this.#options.dir)).filter((name) => name.endsWith('.squashfs'))
    const images = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#options.dir, name)
        const { size, mtimeMs } = await stat(path)
        return { path, size, mtimeMs }
      }),
    )
    let total = images.reduce((sum, image) => sum + image.size, 0)
    const inUse = this.#options.inUse()
    for (const image of images.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (total <= this.#options.budgetBytes) return
      if (image.path === justBuilt || inUse.has(image.path)) continue
      await rm(image.path, { force: true })
      total -= image.size
    }
  }
}

type Entrypoint = Pick<ProgramContent['code'], 'entrypoint' | 'interface'>

/** File that plain code is kept in: that of the entrypoint's Python module (`module:attribute`), or the entrypoint. */
export function plainFileName(code: Entrypoint): string {
  const { entrypoint } = code
  const module = /^([\w.]+):\w+$/.exec(entrypoint)?.[1] ?? (isPlainModule(code) ? entrypoint : null)
  const name = module ? `${module.replaceAll('.', '/')}.py` : entrypoint
  if (!isInside(name)) {
    throw new AgentError(
      'invalid_program',
      `code.entrypoint "${entrypoint}" is no file name inside the program`,
    )
  }
  return name
}

/** Python code that names no module: its application is the variable of the entrypoint's name (protocol 05 §6.7). */
function isPlainModule(code: Entrypoint): boolean {
  return code.interface === 'asgi' && /^\w+$/.test(code.entrypoint)
}

async function placePlainFile(source: CodeSource, folder: string): Promise<void> {
  const target = join(folder, source.entrypoint)
  await mkdir(dirname(target), { recursive: true })
  await copyFile(source.path, target)
  await chmod(target, 0o644)
}

/** Archives made on systems without permission bits still run: the entrypoint, if it is a file, may be executed. */
async function makeExecutable(folder: string, entrypoint: string): Promise<void> {
  if (!isInside(entrypoint)) return
  const path = join(folder, entrypoint)
  const found = await lstat(path).catch(() => null)
  if (found?.isFile()) await chmod(path, 0o755)
}

async function touch(path: string): Promise<boolean> {
  const now = new Date()
  return utimes(path, now, now).then(
    () => true,
    () => false,
  )
}

async function sha256OfFile(path: string): Promise<string> {
  const digest = createHash('sha256')
  await pipeline(createReadStream(path), digest)
  return digest.digest('hex')
}
