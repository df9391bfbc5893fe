import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Hypervisor, Machine, MachineShape } from '../hypervisor/index.ts'
import { awaken } from './awaken.ts'
import { connectGuest } from './connect-guest.ts'
import { machineShape } from './guest-setup.ts'
import type { TemplateStore } from './template-store.ts'
import type { ProgramSpec } from './vm-spec.ts'
import { unlessAborted, whileAlive } from './while-alive.ts'

const blankBytes = 4096

export interface RuntimeTemplatesOptions {
  hypervisor: Hypervisor
  templates: TemplateStore
  /** Where the file is that stands for disks not known yet. */
  dataDir: string
  /** From the launch to the guest agent's hello, milliseconds. */
  bootMs: number
  log: Logger
}

/**
 * Snapshots of booted runtimes in which nothing of any program has happened yet: every program of one runtime
 * and machine shape starts from the same one, whoever owns it (level A of protocol 05 §21.6).
 */
export class RuntimeTemplates {
  readonly #options: RuntimeTemplatesOptions
  readonly #blankDisk: string
  readonly #making = new Map<string, Promise<void>>()

  private constructor(options: RuntimeTemplatesOptions, blankDisk: string) {
    this.#options = options
    this.#blankDisk = blankDisk
  }

  static async create(options: RuntimeTemplatesOptions): Promise<RuntimeTemplates> {
    const blankDisk = join(options.dataDir, 'blank-disk')
    await writeFile(blankDisk, Buffer.alloc(blankBytes))
    return new RuntimeTemplates(options, blankDisk)
  }

  /**
   * Key of the template that fits the program; `made` when its kernel had to be booted first. Simultaneous
   * calls share one boot, which goes on when a caller's signal aborts.
   *
   * @throws VmStartError, HypervisorError or GuestError when the runtime does not boot.
   */
  async ensure(spec: ProgramSpec, signal: AbortSignal): Promise<{ key: string; made: boolean }> {
    const { templates } = this.#options
    const key = templates.runtimeKeyOf(spec)
    if (templates.has(key)) return { key, made: false }
    let making = this.#making.get(key)
    if (!making) {
      making = this.#make(spec, key).finally(() => this.#making.delete(key))
      this.#making.set(key, making)
    }
    await unlessAborted(signal, making)
    return { key, made: true }
  }

  /** Resolves when no template is being made any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#making.values())
  }

  async #make(spec: ProgramSpec, key: string): Promise<void> {
    const { hypervisor, templates, bootMs, log } = this.#options
    const startedAt = performance.now()
    const draft = await templates.draft(key)
    try {
      const machine = await hypervisor.launch({
        id: `runtime-${spec.runtime.sha256.slice(0, 16)}`,
        shape: this.#shape(spec),
        start: { kind: 'cold', memory: draft.files.memory },
        onConsole: (chunk) => log.debug({ console: Buffer.from(chunk).toString() }, 'runtime boots'),
        timeoutMs: bootMs,
      })
      try {
        await this.#prepare(machine, draft.files.state)
      } finally {
        await machine.kill()
      }
      await templates.commit(draft)
      log.info(
        { runtime: spec.runtime.sha256, ms: Math.round(performance.now() - startedAt) },
        'runtime template made',
      )
    } catch (error) {
      await templates.discardDraft(draft)
      throw error
    }
  }

  async #prepare(machine: Machine, statePath: string): Promise<void> {
    const forever = new AbortController().signal
    const link = await connectGuest(machine, forever, this.#options.bootMs, 'guest_boot_timeout')
    try {
      await whileAlive(machine, forever, link.control('prepare'))
      // What awakening takes is then loaded and compiled in every clone.
      await whileAlive(machine, forever, awaken(link))
      await machine.snapshot(statePath)
    } finally {
      await link.close()
    }
  }

  /** The program's machine, with blank disks in the places of its own. */
  #shape(spec: ProgramSpec): MachineShape {
    const shape = machineShape(spec)
    const [runtime, ...others] = shape.disks
    const blanks = others.map(({ serial }) => ({ serial, path: this.#blankDisk }))
    return { ...shape, disks: runtime ? [runtime, ...blanks] : [] }
  }
}
