import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Logger } from 'pino'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import type { VmHost } from '../vm-host.ts'
import { diskBytes } from '../volumes/disk-image.ts'
import { runTool, type VolumeStore } from '../volumes/volume-store.ts'
import { isKeptDisk, rootDiskName } from './instance-loader.ts'

const LIFE_SECONDS = 24 * 3600
const metadataSchema = z.object({
  backup_id: z.string(),
  size: z.number(),
  volumes: z.array(z.string()),
  expires_at: z.string(),
  checksum: z.string(),
  source_sizes: z.record(z.string(), z.number()),
})

/** What is known of a finished backup (protocol 05 §10.4). */
export type BackupMetadata = z.output<typeof metadataSchema>

export type BackupState =
  | { state: 'none' | 'running' }
  | { state: 'failed'; reason: string }
  | { state: 'done'; metadata: BackupMetadata }

export interface BackupsOptions {
  dir: string
  vms: VmHost
  volumes: VolumeStore
  logger: Logger
}

/**
 * Archives of instances' disks: each disk a qcow2 file that stands on its own, all in one tar, kept for a day
 * (protocol 05 §10.4). The instance stands still while its disks are copied, so that they fit each other.
 */
export class Backups {
  readonly #options: BackupsOptions
  readonly #running = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, string>()
  /** Signs download links; lost with the process, as the links live for a day at most. */
  readonly #secret = randomBytes(32)

  constructor(options: BackupsOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { dir } = this.#options
    await mkdir(dir, { recursive: true, mode: 0o700 })
    for (const name of await readdir(dir)) {
      if (name.startsWith('work-')) await rm(join(dir, name), { recursive: true, force: true })
    }
  }

  isRunning(hash: string): boolean {
    return this.#running.has(hash)
  }

  async stateOf(hash: string): Promise<BackupState> {
    if (this.#running.has(hash)) return { state: 'running' }
    const reason = this.#failures.get(hash)
    if (reason !== undefined) {
      this.#failures.delete(hash)
      return { state: 'failed', reason }
    }
    const metadata = await this.#latest(hash)
    return metadata ? { state: 'done', metadata } : { state: 'none' }
  }

  /** Begins a backup in the background. Throws AgentError `not_enough_disk`. */
  async begin(hash: string, withVolumes: boolean): Promise<void> {
    const folder = this.#options.volumes.folder(hash)
    const names = (await readdir(folder)).filter(
      (name) => isKeptDisk(name) && (withVolumes || name === rootDiskName),
    )
    const sizes: Record<string, number> = {}
    for (const name of names) sizes[name] = await diskBytes(join(folder, name), formatOf(name))
    const needed = Object.values(sizes).reduce((sum, size) => sum + size, 0)
    const disk = await statfs(this.#options.dir)
    if (disk.bavail * disk.bsize < needed) {
      throw new AgentError(
        'not_enough_disk',
        `Insufficient disk space for the backup: ${needed} bytes needed`,
      )
    }
    const work = this.#make(hash, folder, sizes)
      .catch((error: unknown) => {
        this.#options.logger.error({ err: error, hash }, 'backup failed')
        this.#failures.set(hash, error instanceof Error ? error.message : String(error))
      })
      .finally(() => this.#running.delete(hash))
    this.#running.set(hash, work)
  }

  /** Path of an archive. Throws AgentError `not_found`. */
  async archive(hash: string, id: string): Promise<{ path: string; metadata: BackupMetadata }> {
    const metadata = await this.#read(hash, id)
    if (!metadata) throw new AgentError('not_found', 'No such backup')
    return { path: join(this.#options.dir, `${id}.tar`), metadata }
  }

  async remove(hash: string, id: string): Promise<void> {
    const { path } = await this.archive(hash, id)
    await this.#discard(path)
  }

  /** Deletes every backup of an instance, once one under way has ended. */
  async removeAll(hash: string): Promise<void> {
    await this.#running.get(hash)
    const { dir } = this.#options
    const names = (await readdir(dir)).filter((name) => name.startsWith(`${hash}-`))
    for (const name of names) await rm(join(dir, name), { force: true })
  }

  /** Query of a download link that works for a day without any other proof. */
  signLink(hash: string, id: string): string {
    const expires = Math.floor(Date.now() / 1000) + LIFE_SECONDS
    return `signature=${backupSignature(this.#secret, id, hash, expires)}&expires=${expires}`
  }

  isSigned(hash: string, id: string, signature: string, expires: number): boolean {
    const expected = Buffer.from(backupSignature(this.#secret, id, hash, expires))
    const given = Buffer.from(signature)
    return expires > Date.now() / 1000 && given.length === expected.length && timingSafeEqual(given, expected)
  }

  async #make(hash: string, folder: string, sizes: Record<string, number>): Promise<void> {
    const { dir, vms } = this.#options
    const work = await mkdtemp(join(dir, 'work-'))
    try {
      const names = Object.keys(sizes)
      await vms.whilePaused(hash, async () => {
        for (const name of names) {
          const target = join(work, archivedName(name))
          // The disk is QEMU's; it stands still with everything written, so reading beside it is safe.
          const args = [
            'convert',
            '-U',
            '-c',
            '-f',
            formatOf(name),
            '-O',
            'qcow2',
            join(folder, name),
            target,
          ]
          await runTool('qemu-img', args, 'qemu-utils')
        }
      })
      const id = `${hash}-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
      const part = join(work, 'archive')
      const volumes = names.map(archivedName)
      await runTool('tar', ['-cf', part, '-C', work, ...volumes], 'tar')
      const { size } = await stat(part)
      const metadata: BackupMetadata = {
        backup_id: id,
        size,
        volumes,
        expires_at: new Date(Date.now() + LIFE_SECONDS * 1000).toISOString(),
        checksum: `sha256:${await sha256Of(part)}`,
        source_sizes: Object.fromEntries(names.map((name) => [archivedName(name), sizes[name] as number])),
      }
      await rename(part, join(dir, `${id}.tar`))
      await writeFile(join(dir, `${id}.tar.meta.json`), JSON.stringify(metadata), { mode: 0o600 })
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }

  async #latest(hash: string): Promise<BackupMetadata | null> {
    const suffix = '.tar.meta.json'
    const names = (await readdir(this.#options.dir)).filter(
      (name) => name.startsWith(`${hash}-`) && name.endsWith(suffix),
    )
    for (const name of names.sort().reverse()) {
      const metadata = await this.#read(hash, name.slice(0, -suffix.length))
      if (metadata) return metadata
    }
    return null
  }

  /** Null when there is none, or when its day is over, which ends it. */
  async #read(hash: string, id: string): Promise<BackupMetadata | null> {
    const path = join(this.#options.dir, `${id}.tar`)
    const text = await readFile(`${path}.meta.json`, 'utf8').catch(() => null)
    if (text === null || !id.startsWith(`${hash}-`)) return null
    const metadata = metadataSchema.parse(JSON.parse(text))
    if (Date.parse(metadata.expires_at) > Date.now()) return metadata
    await this.#discard(path)
    return null
  }

  async #discard(path: string): Promise<void> {
    await rm(`${path}.meta.json`, { force: true })
    await rm(path, { force: true })
  }
}

/** Proof in a download link, lower-case hex (protocol 05 §10.4, vector in §22). */
export function backupSignature(
  secret: string | Uint8Array,
  id: string,
  hash: string,
  expires: number,
): string {
  return createHmac('sha256', secret).update(`${id}:${hash}:${expires}`).digest('hex')
}

function formatOf(name: string): 'qcow2' | 'raw' {
  return name.endsWith('.qcow2') ? 'qcow2' : 'raw'
}

function archivedName(name: string): string {
  return name.replace(/\.ext4$/, '.qcow2')
}

async function sha256Of(path: string): Promise<string> {
  const digest = createHash('sha256')
  await pipeline(createReadStream(path), digest)
  return digest.digest('hex')
}
