import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../hypervisor/atomic-file.ts'
import type { HypervisorCapabilities, SnapshotFiles } from '../hypervisor/index.ts'
import { machineShape } from './guest-setup.ts'
import type { ProgramSpec } from './vm-spec.ts'

const buildingPrefix = 'building-'

/** A snapshot under construction. */
export interface TemplateDraft {
  key: string
  /** The program whose memory it holds; null: a runtime's, which holds nobody's. */
  program: string | null
  files: SnapshotFiles
}

interface Template {
  key: string
  program: string | null
  bytes: number
  usedAt: number
  users: number
}

/**
 * Snapshots of booted runtimes, and of programs that just became ready, by a key of everything they depend on. Files never change
 * once committed: running clones map the memory file privately.
 */
export class TemplateStore {
  readonly #directory: string
  readonly #budgetBytes: number
  readonly #fingerprint: string
  readonly #log: Logger
  readonly #templates = new Map<string, Template>()

  private constructor(directory: string, budgetBytes: number, fingerprint: string, log: Logger) {
    this.#directory = directory
    this.#budgetBytes = budgetBytes
    this.#fingerprint = fingerprint
    this.#log = log
  }

  /**
   * Opens the store and deletes what cannot be used: half-built templates, those of another hypervisor,
   * and those written before the host booted (their memory may never have reached the disk). A machine that
   * still maps a deleted memory file keeps it.
   */
  static async open(
    directory: string,
    budgetBytes: number,
    capabilities: HypervisorCapabilities,
    log: Logger,
  ): Promise<TemplateStore> {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    const fingerprint = `${capabilities.fingerprint} ${boot}`
    const store = new TemplateStore(directory, budgetBytes, fingerprint, log)
    await mkdir(directory, { recursive: true })
    // Machines may write to any memory file that they can reach: they are handed their own.
    await chmod(directory, 0o700)
    for (const name of await readdir(directory)) {
      if (!(await store.#load(name))) {
        await rm(join(directory, name), { recursive: true, force: true })
      }
    }
    await store.evict()
    return store
  }

  /** Key of the runtime and machine a program needs: nothing of the program itself, nor of its owner. */
  runtimeKeyOf(spec: ProgramSpec): string {
    const disks = machineShape(spec).disks.length
    return this.#hash(['runtime', spec.vcpus, spec.memoryMiB, spec.runtime.sha256, disks])
  }

  /** The key of a specification on this hypervisor: equal only if a snapshot fits exactly. */
  keyOf(spec: ProgramSpec): string {
    return this.#hash([
      'program',
      spec.templateKey,
      spec.vcpus,
      spec.memoryMiB,
      spec.runtime.sha256,
      spec.runtime.command,
      sorted(spec.runtime.env ?? {}),
      spec.code.sha256,
      spec.entrypoint,
      spec.args ?? [],
      spec.volumes ?? [],
      sorted(spec.env),
      spec.hostname,
      spec.internet,
    ])
  }

  #hash(parts: unknown[]): string {
    return createHash('sha256')
      .update(JSON.stringify([this.#fingerprint, ...parts]))
      .digest('hex')
  }

  /** Takes the template for one machine; call `release` when the machine is gone. Null: there is none. */
  async use(key: string): Promise<SnapshotFiles | null> {
    const template = this.#templates.get(key)
    if (!template) return null
    template.users++
    template.usedAt = Date.now()
    const now = new Date(template.usedAt)
    await utimes(join(this.#directory, key, 'manifest.json'), now, now).catch((error) =>
      this.#log.warn({ err: error }, 'the last use of a template is not noted'),
    )
    return this.#files(key)
  }

  release(key: string): void {
    const template = this.#templates.get(key)
    if (template) template.users = Math.max(0, template.users - 1)
  }

  has(key: string): boolean {
    return this.#templates.has(key)
  }

  /** Programs whose memory is in a template. */
  programs(): string[] {
    const programs = [...this.#templates.values()].flatMap(({ program }) => program ?? [])
    return [...new Set(programs)]
  }

  /** Begins a template, of a program if it names one. End with `commit` or `discardDraft`. */
  async draft(key: string, program: string | null = null): Promise<TemplateDraft> {
    const directory = join(this.#directory, `${buildingPrefix}${randomBytes(8).toString('hex')}`)
    await mkdir(directory, { mode: 0o700 })
    return { key, program, files: { memory: join(directory, 'memory'), state: join(directory, 'state') } }
  }

  /** Makes the draft the template of its key, unless another was faster; then makes room. */
  async commit(draft: TemplateDraft): Promise<void> {
    const building = join(draft.files.memory, '..')
    if (this.#templates.has(draft.key)) return this.discardDraft(draft)
    const { key, program } = draft
    const bytes = await allocatedBytes(draft.files)
    await writeFileAtomic(
      join(building, 'manifest.json'),
      JSON.stringify({ fingerprint: this.#fingerprint, program, bytes }),
    )
    await chmod(draft.files.state, 0o400)
    await rename(building, join(this.#directory, key))
    this.#templates.set(key, { key, program, bytes, usedAt: Date.now(), users: 0 })
    await this.evict(key)
  }

  async discardDraft(draft: TemplateDraft): Promise<void> {
    await rm(join(draft.files.memory, '..'), { recursive: true, force: true })
  }

  /** Deletes a template, as when it does not restore. Machines that map its memory live on. */
  async discard(key: string): Promise<void> {
    const template = this.#templates.get(key)
    if (!template) return
    this.#templates.delete(key)
    await rm(join(this.#directory, key), { recursive: true, force: true })
  }

  /** Deletes every template of a program, those of its former versions included. */
  async discardOf(program: string): Promise<void> {
    const templates = [...this.#templates.values()].filter((template) => template.program === program)
    await Promise.all(templates.map(({ key }) => this.discard(key)))
  }

  /** Deletes the least recently used templates beyond the budget, never one in use nor `spared`. */
  async evict(spared?: string): Promise<void> {
    const byAge = [...this.#templates.values()].sort((a, b) => a.usedAt - b.usedAt)
    let total = byAge.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const template of byAge) {
      if (total <= this.#budgetBytes) return
      if (template.users > 0 || template.key === spared) continue
      await this.discard(template.key)
      total -= template.bytes
      this.#log.debug({ template: template.key, bytes: template.bytes }, 'template evicted')
    }
  }

  #files(key: string): SnapshotFiles {
    return { memory: join(this.#directory, key, 'memory'), state: join(this.#directory, key, 'state') }
  }

  async #load(key: string): Promise<boolean> {
    if (key.startsWith(buildingPrefix)) return false
    try {
      const path = join(this.#directory, key, 'manifest.json')
      const manifest = JSON.parse(await readFile(path, 'utf8'))
      if (manifest.fingerprint !== this.#fingerprint) return false
      const bytes = await allocatedBytes(this.#files(key))
      const usedAt = (await stat(path)).mtimeMs
      this.#templates.set(key, { key, program: manifest.program ?? null, bytes, usedAt, users: 0 })
      return true
    } catch (error) {
      this.#log.warn({ template: key, err: error }, 'a template cannot be read and is dropped')
      return false
    }
  }
}

/** Disk space of a snapshot; the memory file is sparse. */
async function allocatedBytes(files: SnapshotFiles): Promise<number> {
  const [memory, state] = await Promise.all([stat(files.memory), stat(files.state)])
  return (memory.blocks + state.blocks) * 512
}

function sorted(record: Record<string, string>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
}
