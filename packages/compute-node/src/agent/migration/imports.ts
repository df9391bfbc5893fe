import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { InstanceContent } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import type { Admission } from '../allocations/admission.ts'
import { AgentError } from '../errors.ts'
import { type InstanceLoader, rootDiskName } from '../instances/instance-loader.ts'
import type { VmHost } from '../vm-host.ts'
import { assertSelfContained, diskBytes, isQcow2 } from '../volumes/disk-image.ts'
import { nameVolumes } from '../volumes/volume-names.ts'
import { runTool, type VolumeStore, volumeFileName } from '../volumes/volume-store.ts'
import type { WorkloadHost } from '../workloads.ts'
import { type DiskSource, downloadDisk } from './disk-download.ts'
import type { DiskFile } from './disk-file.ts'

const MIB = 1024 * 1024
const REMEMBERED_JOBS = 1_000
const RETRY_MS = 5_000
const DOWNLOAD_ATTEMPTS = 3

/** One instance on its way in. */
export interface ImportJob {
  state: 'importing' | 'imported' | 'import_failed'
  /** Epoch seconds. */
  startedAt: number
  finishedAt: number | null
  step: 'fetching_message' | 'downloading_disks' | 'rebasing' | 'creating_vm' | null
  bytesDownloaded: number
  bytesExpected: number
  transferMs: number | null
  error: string | null
}

export interface ImportsOptions {
  dir: string
  vms: VmHost
  volumes: VolumeStore
  loader: InstanceLoader
  admission: Admission
  workloads: WorkloadHost
  /** Whether the VM runs here, or is wanted here. */
  isHere: (hash: string) => boolean
  logger: Logger
}

/** Instances that come from another node with their disks (protocol 05 §12). */
export class Imports {
  readonly #options: ImportsOptions
  readonly #jobs = new Map<string, ImportJob>()

  constructor(options: ImportsOptions) {
    this.#options = options
  }

  /** Removes what interrupted imports left behind. */
  async start(): Promise<void> {
    const { dir } = this.#options
    await mkdir(dir, { recursive: true, mode: 0o700 })
    for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true, force: true })
  }

  /** How far an import is; what has come and left again is forgotten, and may come again. */
  find(hash: string): ImportJob | undefined {
    const job = this.#jobs.get(hash)
    if (job?.state !== 'imported' || this.#options.isHere(hash)) return job
    this.#jobs.delete(hash)
    return undefined
  }

  /** Begins an import in the background. Throws AgentError `conflict` or `overloaded`. */
  begin(hash: string, source: DiskSource, files: DiskFile[]): ImportJob {
    const state = this.#options.vms.get(hash)?.state
    if (state === 'running' || state === 'booting')
      throw new AgentError('conflict', 'VM is running here already')
    const former = this.find(hash)?.state
    if (former === 'imported') throw new AgentError('conflict', 'VM was imported already')
    if (former === 'importing') throw new AgentError('conflict', 'VM is being imported')
    if ([...this.#jobs.values()].some((job) => job.state === 'importing')) {
      throw new AgentError('overloaded', 'Another VM is being imported; try again later')
    }
    const job: ImportJob = {
      state: 'importing',
      startedAt: Date.now() / 1000,
      finishedAt: null,
      step: 'fetching_message',
      bytesDownloaded: 0,
      bytesExpected: files.reduce((sum, { size_bytes }) => sum + size_bytes, 0),
      transferMs: null,
      error: null,
    }
    this.#remember(hash, job)
    this.#import(hash, source, files, job).then(
      () => this.#finish(hash, job, null),
      (error: unknown) => this.#finish(hash, job, error),
    )
    return job
  }

  #finish(hash: string, job: ImportJob, error: unknown): void {
    job.finishedAt = Date.now() / 1000
    job.step = null
    job.state = error === null ? 'imported' : 'import_failed'
    if (error === null) {
      this.#options.logger.info({ hash }, 'instance is imported')
      return
    }
    job.error = error instanceof Error ? error.message : String(error)
    this.#options.logger.error({ err: error, hash }, 'import failed')
  }

  async #import(hash: string, source: DiskSource, files: DiskFile[], job: ImportJob): Promise<void> {
    const { dir, loader, admission, workloads } = this.#options
    const content = await loader.content(hash)
    const refusal = await admission.refusal(content)
    if (refusal) throw new AgentError('insufficient_capacity', `No room for the VM: ${refusal}`)
    const work = join(dir, hash)
    await mkdir(work, { mode: 0o700 })
    try {
      job.step = 'downloading_disks'
      const startedAt = performance.now()
      for (const file of files) await this.#download(source, file, join(work, file.name), job)
      job.transferMs = Math.round(performance.now() - startedAt)
      job.step = 'rebasing'
      await this.#unpack(hash, content, work, files)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
    job.step = 'creating_vm'
    await workloads.ensureRunning(hash)
  }

  async #download(source: DiskSource, file: DiskFile, target: string, job: ImportJob): Promise<void> {
    const before = job.bytesDownloaded
    for (let attempt = 1; ; attempt++) {
      try {
        return await downloadDisk(source, file, target, (count) => {
          job.bytesDownloaded += count
        })
      } catch (error) {
        await rm(target, { force: true })
        job.bytesDownloaded = before
        if (error instanceof AgentError || attempt === DOWNLOAD_ATTEMPTS) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  /** Writes every disk anew, of the size its message declares, and only then gives all of them to the VM. */
  async #unpack(hash: string, content: InstanceContent, work: string, files: DiskFile[]): Promise<void> {
    const { volumes } = this.#options
    const sizes = declaredSizes(content)
    const ready: string[] = []
    for (const { name } of files) {
      const target = name === rootDiskName ? name : name.replace(/\.qcow2$/, '')
      const mib = sizes.get(target)
      if (mib === undefined)
        throw new AgentError('invalid_request', `disk_files: the VM has no disk ${target}`)
      await rewrite(join(work, name), join(work, `${target}.ready`), target, mib * MIB)
      ready.push(target)
    }
    if (!ready.includes(rootDiskName)) throw new AgentError('invalid_request', 'disk_files: no root disk')
    await volumes.remove(hash)
    await mkdir(volumes.folder(hash), { recursive: true, mode: 0o700 })
    for (const name of ready) await rename(join(work, `${name}.ready`), join(volumes.folder(hash), name))
  }

  #remember(hash: string, job: ImportJob): void {
    this.#jobs.delete(hash)
    this.#jobs.set(hash, job)
    if (this.#jobs.size > REMEMBERED_JOBS) this.#jobs.delete(this.#jobs.keys().next().value as string)
  }
}

/** Files of an instance's disks that outlive a start, by name, with their declared sizes in MiB. */
function declaredSizes(content: InstanceContent): Map<string, number> {
  const sizes = new Map([[rootDiskName, content.rootfs.size_mib]])
  for (const { name, volume } of nameVolumes(content.volumes)) {
    if (volume.kind === 'persistent') sizes.set(volumeFileName(name), volume.size_mib)
  }
  return sizes
}

/** The source is believed no more than anybody who publishes a disk (protocol 05 §23 S2). */
async function rewrite(path: string, target: string, name: string, maxBytes: number): Promise<void> {
  if (!(await isQcow2(path))) throw new AgentError('invalid_request', `The disk ${name} is no qcow2 image`)
  await assertSelfContained(path)
  if ((await diskBytes(path, 'qcow2')) > maxBytes) {
    throw new AgentError('invalid_request', `The disk ${name} is larger than its message declares`)
  }
  const format = name === rootDiskName ? 'qcow2' : 'raw'
  await runTool('qemu-img', ['convert', '-f', 'qcow2', '-O', format, path, target], 'qemu-utils')
}
