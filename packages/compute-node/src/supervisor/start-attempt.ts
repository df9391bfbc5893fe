import { rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { GuestLink, Hypervisor, Machine, MachineStart } from '../hypervisor/index.ts'
import type { TapNetwork } from '../network/index.ts'
import { awaken } from './awaken.ts'
import type { BootSlots } from './boot-slots.ts'
import { connectGuest } from './connect-guest.ts'
import type { ConsoleLog } from './console-log.ts'
import {
  configuration,
  machineShape,
  maySnapshot,
  type OnGuestStream,
  serveGuestStreams,
} from './guest-setup.ts'
import type { RuntimeTemplates } from './runtime-templates.ts'
import type { TemplateDraft, TemplateStore } from './template-store.ts'
import { VmStartError, type VmStartErrorCode } from './vm-errors.ts'
import type { ProgramSpec, StartKind } from './vm-spec.ts'
import { whileAlive } from './while-alive.ts'

const channelLossMs = 1000
const consoleQuietMs = 50
const consoleSettleMs = 1000

/** Limits in milliseconds, already scaled for the accelerator. */
export interface StartLimits {
  /** From the launch to the guest agent's hello. */
  bootMs: number
  /** From the program's start to the program listening. */
  programMs: number
  /** From the launch of a clone to its answer. */
  restoreMs: number
}

export interface StarterContext {
  hypervisor: Hypervisor
  templates: TemplateStore
  runtimes: RuntimeTemplates
  slots: BootSlots
  limits: StartLimits
  network: TapNetwork | null
  log: Logger
  onGuestStream: OnGuestStream
}

/** A machine whose program listens. */
export interface StartedMachine {
  machine: Machine
  /** The channel to our agent in the guest; an instance has none. */
  link: GuestLink | null
  startKind: StartKind
  /** Template whose memory it shares; give it back with `templates.release`. */
  template?: string
}

/** A machine with our agent in it. */
export interface StartedProgram extends StartedMachine {
  link: GuestLink
}

/** One start of one program: from the program's template, else from its runtime's, leaving one behind. */
export class StartAttempt {
  readonly #context: StarterContext
  readonly #spec: ProgramSpec
  readonly #console: ConsoleLog
  readonly #signal: AbortSignal
  readonly #log: Logger
  readonly #startedAt = performance.now()

  constructor(context: StarterContext, spec: ProgramSpec, console: ConsoleLog, signal: AbortSignal) {
    this.#context = context
    this.#spec = spec
    this.#console = console
    this.#signal = signal
    this.#log = context.log.child({ vm: spec.id })
  }

  async run(): Promise<StartedProgram> {
    if (!maySnapshot(this.#spec)) return this.#anewInTurn()
    const { templates } = this.#context
    const key = templates.keyOf(this.#spec)
    const restored = await this.restore(key)
    if (restored) return restored
    const draft = await templates.draft(key, this.#spec.replicaOf ?? this.#spec.id)
    let started: StartedProgram
    try {
      started = await this.#anewInTurn(draft.files.memory)
    } catch (error) {
      await templates.discardDraft(draft)
      throw error
    }
    return this.#turnIntoClone(started, draft)
  }

  #anewInTurn(memory?: string): Promise<StartedProgram> {
    return this.#context.slots.run(this.#signal, () => this.#anew(memory))
  }

  /** Starts the program itself, in a machine of its runtime. */
  async #anew(memory: string | undefined): Promise<StartedProgram> {
    const started = await this.#ownMachine(memory)
    const { machine, link } = started
    return this.#orKill(machine, async () => {
      const ready = this.#programReady(machine, link, this.#context.limits.programMs)
      // `configure` may fail first; the promise is awaited below or never matters.
      ready.catch(() => {})
      await this.#whileAlive(machine, link.control('configure', configuration(this.#spec)))
      await this.#whileAlive(machine, link.control('start'))
      await ready
      this.#mark('ready')
      return started
    })
  }

  /** A machine that was told nothing yet: a clone of its runtime's template, or one whose kernel boots now. */
  async #ownMachine(memory: string | undefined): Promise<StartedProgram> {
    const { key, made } = await this.#context.runtimes.ensure(this.#spec, this.#signal)
    const clone = await this.restore(key, memory)
    if (clone) return { ...clone, startKind: made ? 'cold' : 'runtime' }
    const { bootMs } = this.#context.limits
    const machine = await this.#launch({ kind: 'cold', memory }, bootMs)
    return this.#orKill(machine, async () => {
      const link = await this.#connect(machine, bootMs, 'guest_boot_timeout')
      this.#mark('hello')
      return { machine, link, startKind: 'cold' }
    })
  }

  /**
   * A clone of the template, its memory shared with it unless it shall be copied to `memory`; null when there is
   * no such template or it does not restore.
   */
  async restore(key: string, memory?: string): Promise<StartedProgram | null> {
    const { templates, limits } = this.#context
    const snapshot = await templates.use(key)
    if (!snapshot) return null
    try {
      const machine = await this.#launch({ kind: 'restore', snapshot, memory }, limits.restoreMs)
      const started = await this.#orKill(machine, async () => {
        const link = await this.#connect(machine, limits.restoreMs, 'hypervisor_failed')
        await this.#whileAlive(machine, awaken(link))
        this.#mark('restored')
        return { machine, link, startKind: 'restored' as const }
      })
      if (memory === undefined) return { ...started, template: key }
      templates.release(key)
      return started
    } catch (error) {
      templates.release(key)
      if (this.#signal.aborted) throw error
      this.#log.warn({ err: error, template: key }, 'a template did not restore and is dropped')
      await templates.discard(key)
      if (memory !== undefined) await rm(memory, { force: true })
      return null
    }
  }

  /**
   * Freezes the ready machine into a template and goes on as its first clone: continuing the machine itself
   * would change the memory it leaves to the others, copying the memory would take longer.
   */
  async #turnIntoClone(first: StartedProgram, draft: TemplateDraft): Promise<StartedProgram> {
    const { templates } = this.#context
    try {
      // Taken up in the snapshot, a connection need not be made at each clone's first request.
      await this.#whileAlive(first.machine, first.link.control('connect'))
      await first.machine.snapshot(draft.files.state)
      this.#mark('snapshot')
      await first.link.close()
      await templates.commit(draft)
      const clone = await this.restore(draft.key)
      if (clone) {
        await first.machine.kill()
        return { ...clone, startKind: first.startKind }
      }
    } catch (error) {
      await first.machine.kill()
      await templates.discard(draft.key)
      await templates.discardDraft(draft)
      if (this.#signal.aborted) throw error
      this.#log.warn({ err: error }, 'no template could be made; starting without')
    }
    await first.machine.kill()
    return this.#anewInTurn()
  }

  async #launch(start: MachineStart, timeoutMs: number): Promise<Machine> {
    const machine = await this.#context.hypervisor.launch({
      id: this.#spec.id,
      shape: machineShape(this.#spec),
      start,
      onConsole: (chunk) => this.#console.write(chunk),
      timeoutMs,
      signal: this.#signal,
    })
    this.#mark('launched')
    return machine
  }

  async #connect(machine: Machine, timeoutMs: number, onTimeout: VmStartErrorCode): Promise<GuestLink> {
    const link = await connectGuest(machine, this.#signal, timeoutMs, onTimeout)
    serveGuestStreams(link, this.#spec, this.#context.onGuestStream)
    return link
  }

  #programReady(machine: Machine, link: GuestLink, timeoutMs: number): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new VmStartError(
              'program_not_listening',
              `nothing listened on port 8080 in the VM within ${timeoutMs / 1000} s; the program must serve HTTP on $PORT`,
            ),
          ),
        timeoutMs,
      )
      const settle = (finish: () => void) => {
        clearTimeout(timer)
        finish()
      }
      link.on('event', (verb, fields) => {
        if (verb === 'ready') settle(resolve)
        if (verb === 'exited') settle(() => reject(programExited(fields)))
      })
      link.on('close', () => {
        // Nearly always because the machine ends, which is then the better explanation.
        const gone = () => settle(() => reject(new VmStartError('guest_failed', 'the guest went away')))
        setTimeout(gone, channelLossMs).unref()
      })
      this.#signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    })
    return this.#whileAlive(machine, ready)
  }

  #whileAlive<T>(machine: Machine, work: Promise<T>): Promise<T> {
    return whileAlive(machine, this.#signal, work)
  }

  async #orKill<T>(machine: Machine, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // What the guest printed last is why; it may still be on its way through the serial line.
      if (!this.#signal.aborted) await this.#console.settle(consoleQuietMs, consoleSettleMs)
      await machine.kill()
      throw error
    }
  }

  #mark(step: string): void {
    this.#log.debug({ step, ms: Math.round(performance.now() - this.#startedAt) }, 'VM start')
  }
}

/** How the program ended, as an error. */
export function programExited(fields: Record<string, string | string[]>): VmStartError {
  const how = fields.signal ? `was ended by signal ${fields.signal}` : `exited with code ${fields.code}`
  return new VmStartError('program_exited', `the program ${how}`)
}
