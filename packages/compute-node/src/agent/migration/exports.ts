import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Logger } from 'pino'
import { z } from 'zod'
import { writeFileAtomically } from '../allocations/state-file.ts'
import { AgentError } from '../errors.ts'
import { isKeptDisk } from '../instances/instance-loader.ts'
import type { VmHost } from '../vm-host.ts'
import { runTool, type VolumeStore } from '../volumes/volume-store.ts'
import type { WorkloadHost } from '../workloads.ts'
import { type DiskFile, diskFileSchema } from './disk-file.ts'

const POWER_OFF_MS = 30_000
const LIFE_MS = 1_800_000
const JOB_FILE = 'job.json'

const jobSchema = z.object({
  state: z.enum(['exporting', 'exported', 'export_failed']),
  /** Epoch seconds. */
  startedAt: z.number(),
  finishedAt: z.number().nullable(),
  error: z.string().nullable(),
  disks: z.array(diskFileSchema),
  token: z.string(),
})

/** One instance on its way out. */
export type ExportJob = z.output<typeof jobSchema>

export interface ExportsOptions {
  dir: string
  vms: VmHost
  volumes: VolumeStore
  workloads: WorkloadHost
  /** Keeps the node from starting the VM again. */
  release: (hash: string) => Promise<void>
  /** Wants the VM again; false when nobody asked for it here. */
  resume: (hash: string) => Promise<boolean>
  logger: Logger
}

/**
 * Instances that leave this node: shut down, their disks packed for another node to fetch (protocol 05 §12). A
 * finished export outlives a restart of the node, and half an hour without `cleanup`; until then the VM does not
 * start here, so that it never runs twice.
 */
export class Exports {
  readonly #options: ExportsOptions
  readonly #jobs = new Map<string, ExportJob>()
  readonly #downloads = new Map<string, number>()
  #busy = false

  constructor(options: ExportsOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { dir } = this.#options
    await mkdir(dir, { recursive: true, mode: 0o700 })
    for (const hash of await readdir(dir)) {
      const job = await readJob(join(dir, hash, JOB_FILE))
      if (job?.state === 'exported' && !isOver(job)) this.#jobs.set(hash, job)
      else await rm(join(dir, hash), { recursive: true, force: true })
    }
  }

  find(hash: string): ExportJob | undefined {
    const job = this.#jobs.get(hash)
    if (!job || !isOver(job)) return job
    this.#jobs.delete(hash)
    this.#removeFiles(hash).catch((error: unknown) => {
      this.#options.logger.error({ err: error, hash }, 'an export that is over could not be deleted')
    })
    return undefined
  }

  /** Whether the VM is leaving or has left: it must not start here. */
  isAway(hash: string): boolean {
    const state = this.find(hash)?.state
    return state === 'exporting' || state === 'exported'
  }

  /** Begins an export in the background. Throws AgentError `invalid_request` or `overloaded`. */
  begin(hash: string): ExportJob {
    const info = this.#options.vms.get(hash)
    if (info?.type !== 'instance')
      throw new AgentError('invalid_request', 'Only QEMU instances can be exported')
    if (info.confidential) {
      throw new AgentError('invalid_request', 'Confidential instances cannot be exported')
    }
    if (info.state !== 'running') throw new AgentError('invalid_request', 'VM must be running to be exported')
    if (this.#busy) throw new AgentError('overloaded', 'Another VM is being exported; try again later')
    this.#busy = true
    const job: ExportJob = {
      state: 'exporting',
      startedAt: Date.now() / 1000,
      finishedAt: null,
      error: null,
      disks: [],
      token: randomBytes(32).toString('base64url'),
    }
    this.#jobs.set(hash, job)
    this.#export(hash, job)
      .catch((error: unknown) => this.#failed(hash, job, error))
      .finally(() => {
        this.#busy = false
      })
    return job
  }

  /**
   * Path of an exported disk, for whoever has the token; call `done` when it was sent. Throws AgentError
   * `not_found` or `unauthenticated`.
   */
  take(hash: string, name: string, token: string): { path: string; size: number; done: () => void } {
    const job = this.find(hash)
    const disk = job?.disks.find((other) => other.name === name)
    if (!job || !disk || job.state !== 'exported') throw new AgentError('not_found', 'No such exported disk')
    if (!isToken(job.token, token)) throw new AgentError('unauthenticated', 'Invalid export token')
    this.#downloads.set(hash, (this.#downloads.get(hash) ?? 0) + 1)
    return {
      path: join(this.#options.dir, hash, name),
      size: disk.size_bytes,
      done: () => this.#downloads.set(hash, (this.#downloads.get(hash) ?? 1) - 1),
    }
  }

  /** Ends an export after its disks arrived elsewhere: nothing of the VM stays here. Throws AgentError `conflict`. */
  async cleanUp(hash: string): Promise<void> {
    if (this.find(hash)?.state !== 'exported') throw new AgentError('conflict', 'The VM is not exported')
    if ((this.#downloads.get(hash) ?? 0) > 0) throw new AgentError('conflict', 'A disk is being downloaded')
    // A plan that still names it does not bring it back, empty as it would be, until the next push.
    await this.#options.release(hash)
    await this.#options.workloads.erase(hash)
    this.#jobs.delete(hash)
    this.#downloads.delete(hash)
    await this.#removeFiles(hash)
  }

  async #export(hash: string, job: ExportJob): Promise<void> {
    const { dir, vms, volumes, release, logger } = this.#options
    const folder = join(dir, hash)
    await this.#removeFiles(hash)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await release(hash)
    await vms.stop(hash, POWER_OFF_MS)
    const names = (await readdir(volumes.folder(hash))).filter(isKeptDisk)
    for (const name of names) job.disks.push(await pack(hash, join(volumes.folder(hash), name), folder, name))
    job.finishedAt = Date.now() / 1000
    job.state = 'exported'
    await writeFileAtomically(join(folder, JOB_FILE), JSON.stringify(job))
    logger.info({ hash, disks: job.disks.length }, 'instance is exported')
  }

  async #failed(hash: string, job: ExportJob, error: unknown): Promise<void> {
    const { workloads, resume, logger } = this.#options
    logger.error({ err: error, hash }, 'export failed; the instance starts again')
    job.state = 'export_failed'
    job.error = error instanceof Error ? error.message : String(error)
    job.finishedAt = Date.now() / 1000
    await this.#removeFiles(hash)
    await resume(hash)
    await workloads.ensureRunning(hash).catch((reason: unknown) => {
      logger.error({ err: reason, hash }, 'an instance did not start again after its export failed')
    })
  }

  #removeFiles(hash: string): Promise<void> {
    return rm(join(this.#options.dir, hash), { recursive: true, force: true })
  }
}

/** Packs one disk as a compressed qcow2 file that reads no other. */
async function pack(hash: string, disk: string, folder: string, name: string): Promise<DiskFile> {
  const format = name.endsWith('.qcow2') ? 'qcow2' : 'raw'
  const packed = format === 'qcow2' ? name : `${name}.qcow2`
  const target = join(folder, packed)
  await runTool('qemu-img', ['convert', '-c', '-f', format, '-O', 'qcow2', disk, target], 'qemu-utils')
  const digest = createHash('sha256')
  await pipeline(createReadStream(target), digest)
  return {
    name: packed,
    size_bytes: (await stat(target)).size,
    sha256: digest.digest('hex'),
    download_path: `/control/machine/${hash}/migration/disk/${packed}`,
  }
}

function isOver(job: ExportJob): boolean {
  return job.finishedAt !== null && Date.now() - job.finishedAt * 1000 > LIFE_MS
}

function isToken(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

async function readJob(path: string): Promise<ExportJob | null> {
  const text = await readFile(path, 'utf8').catch(() => null)
  const parsed = text === null ? null : jobSchema.safeParse(JSON.parse(text))
  return parsed?.success ? parsed.data : null
}
