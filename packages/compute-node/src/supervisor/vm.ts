import type { Logger } from 'pino'
import type { GuestLink, Hypervisor, LaunchControl, Machine } from '../hypervisor/index.ts'
import type { LinkRules, TapNetwork } from '../network/index.ts'
import { adoptMachine } from './adopt-machine.ts'
import type { Capacity } from './capacity.ts'
import type { ConsoleLog } from './console-log.ts'
import { endGently } from './end-gently.ts'
import { type OnGuestStream, programDestination } from './guest-setup.ts'
import type { MachineStarter } from './machine-starter.ts'
import type { StartedMachine } from './start-attempt.ts'
import type { TemplateStore } from './template-store.ts'
import { VmNotRunningError, VmStartError } from './vm-errors.ts'
import type { VmRecord, VmRegistry } from './vm-registry.ts'
import {
  isInstance,
  type PortForward,
  type RunningVm,
  type VmInfo,
  type VmSpec,
  type VmState,
} from './vm-spec.ts'
import { watchMachine } from './watch-machine.ts'

export interface VmContext {
  hypervisor: Hypervisor
  network: TapNetwork | null
  starter: MachineStarter
  capacity: Capacity
  templates: TemplateStore
  registry: VmRegistry
  log: Logger
  onState: (info: VmInfo) => void
  onGuestStream: OnGuestStream
}

/** A machine of ours with its channel. */
interface Running {
  machine: Machine
  /** Of a program: the channel to our agent in the guest. */
  link: GuestLink | null
  template?: string
  /** Gives back its share of the budget. */
  release: () => void
  /** Notices nothing of it any more. */
  unwatch: () => void
}

/** What `VmInfo` takes from the specification. */
type SpecField =
  | 'id'
  | 'replicaOf'
  | 'type'
  | 'kind'
  | 'vcpus'
  | 'memoryMiB'
  | 'internet'
  | 'forwards'
  | 'link'
  | 'mode'
  | 'confidential'
  | 'gpus'

/**
 * One VM through its states. Its transitions run one after the other and never wait for another VM;
 * simultaneous starts are one start.
 */
export class Vm {
  readonly console: ConsoleLog
  readonly #context: VmContext
  readonly #log: Logger
  #spec: VmSpec
  #facts: Omit<VmInfo, SpecField | 'state' | 'pid'> & { state: VmState }
  #running: Running | null = null
  #starting: { promise: Promise<RunningVm>; abort: AbortController; specKey: string } | null = null
  #stopping: Promise<void> | null = null

  constructor(spec: VmSpec, console: ConsoleLog, context: VmContext) {
    this.#spec = spec
    this.console = console
    this.#context = context
    this.#log = context.log.child({ vm: spec.id })
    this.#facts = { state: 'defined', definedAt: Date.now() / 1000, starts: 0 }
  }

  get info(): VmInfo {
    const { id, kind, vcpus, memoryMiB, internet } = this.#spec
    const instance = isInstance(this.#spec) ? this.#spec : null
    const replicaOf = isInstance(this.#spec) ? undefined : this.#spec.replicaOf
    const pid = this.#running?.machine.record.pid
    return {
      id,
      ...(replicaOf !== undefined && { replicaOf }),
      type: isInstance(this.#spec) ? 'instance' : 'program',
      kind,
      vcpus,
      memoryMiB,
      internet,
      ...(instance?.mode && { mode: instance.mode }),
      ...(instance?.confidential && { confidential: true }),
      ...(instance?.gpus && { gpus: instance.gpus.map(({ pciAddress }) => pciAddress) }),
      forwards: instance?.forwards,
      link: instance?.link,
      pid,
      ...this.#facts,
    }
  }

  /** The running VM, started if need be; a changed specification restarts it. */
  async ensureRunning(spec: VmSpec): Promise<RunningVm> {
    const specKey = keyOf(spec)
    if (this.#starting?.specKey === specKey) return this.#starting.promise
    if (this.#running && !this.#stopping && keyOf(this.#spec) === specKey) {
      return this.#handle(this.#running)
    }
    if (this.#running || this.#starting) await this.stop(0)
    else await this.#stopping
    // Somebody else may have come first while we waited.
    if (this.#running || this.#starting || this.#stopping) return this.ensureRunning(spec)
    const abort = new AbortController()
    const promise = this.#start(spec, abort.signal).finally(() => {
      this.#starting = null
    })
    this.#starting = { promise, abort, specKey }
    return promise
  }

  /** Asks the guest to power off, kills it after the grace; calls off a start under way. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs).finally(() => {
      this.#stopping = null
    })
    return this.#stopping
  }

  /** Lets a program rest until its next start, with all it has in memory; one that may not is stopped. */
  suspend(graceMs: number): Promise<void> {
    this.#stopping ??= this.#suspend(graceMs).finally(() => {
      this.#stopping = null
    })
    return this.#stopping
  }

  /** Lets the VM stand still, everything it wrote on the disks, while `work` runs. */
  async whilePaused<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#running
    if (!running) throw new VmNotRunningError(this.#spec.id)
    await running.machine.pause()
    try {
      return await work()
    } finally {
      if (this.#running === running) await running.machine.resume()
    }
  }

  /** What the owner of a running instance with confidential memory does. */
  get launchControl(): LaunchControl {
    if (!this.#running) throw new VmNotRunningError(this.#spec.id)
    return this.#running.machine.launchControl
  }

  /** Replaces the ports that lead into a running instance; of another VM nothing changes. */
  async setForwards(forwards: PortForward[]): Promise<void> {
    const spec = this.#spec
    if (!isInstance(spec) || !this.#running) return
    if (spec.link) await this.#context.network?.setForwards(spec.link.tap, forwards)
    else await this.#running.machine.setForwards(spec.forwardHost, spec.forwards, forwards)
    this.#spec = { ...spec, forwards }
    await this.#save('running', this.#running)
  }

  /** What goes through the link of a running instance that has one. */
  get openLink(): LinkRules | null {
    const spec = this.#spec
    return this.#running && isInstance(spec) && spec.link ? { ...spec, link: spec.link } : null
  }

  /** Makes the next start of a stopped function a fast one. */
  prepareNextStart(): void {
    if (this.#facts.state === 'stopped') this.#context.starter.prepare(this.#spec, this.console)
  }

  /** Lets go of the machine, which runs on, and ends what is not running yet. */
  async detach(): Promise<void> {
    this.#starting?.abort.abort()
    await this.#starting?.promise.catch(() => {})
    await this.#stopping
    const running = this.#running
    if (!running) return
    this.#running = null
    await this.#save('running', running)
    running.machine.detach()
    await running.link?.close()
    await this.console.flush()
  }

  /** Takes up a VM from its record; true when its machine was found alive. */
  async resume(record: VmRecord, connectTimeoutMs: number): Promise<boolean> {
    const { spec, state, machine: machineRecord, template, ...facts } = record
    this.#spec = spec
    this.#facts = { ...facts, state: state === 'running' ? 'stopped' : state }
    if (state !== 'running' || !machineRecord) return false
    const adopted = await adoptMachine({ ...this.#context, log: this.#log }, spec, machineRecord, {
      onConsole: (chunk) => this.console.write(chunk),
      timeoutMs: connectTimeoutMs,
    })
    if (!adopted) {
      const error = { code: 'hypervisor_failed', message: 'the VM died while the node was down' }
      this.#facts = { ...this.#facts, state: 'failed', stoppedAt: Date.now() / 1000, error }
      await this.#save('failed')
      return false
    }
    if (template) await this.#context.templates.use(template)
    this.#watch({
      ...adopted,
      ...(template !== undefined && { template }),
      release: this.#context.capacity.takeAnyway(spec),
    })
    this.#setState('running')
    return true
  }

  async #start(spec: VmSpec, signal: AbortSignal): Promise<RunningVm> {
    const startedAt = performance.now()
    this.#spec = spec
    this.#facts = { ...this.#facts, startedAt: Date.now() / 1000, error: undefined, stoppedAt: undefined }
    let release = () => {}
    try {
      release = this.#context.capacity.take(spec)
      this.console.forgetTail()
      this.#setState('booting')
      const started = await this.#context.starter.start(spec, this.console, signal)
      const running = this.#watch({ ...started, release })
      await this.#reached(started, performance.now() - startedAt)
      return this.#handle(running)
    } catch (error) {
      release()
      this.console.endLine()
      const { code, message } =
        error instanceof VmStartError ? error : new VmStartError('guest_failed', String(error))
      if (code === 'stopped') this.#setState('stopped')
      else await this.#fail(code, message)
      throw error
    }
  }

  async #reached(started: StartedMachine, startMs: number): Promise<void> {
    this.#facts = {
      ...this.#facts,
      startKind: started.startKind,
      startMs: Math.round(startMs),
      starts: this.#facts.starts + 1,
    }
    this.#setState('running')
    await this.#save('running', started)
    this.#log.info({ startKind: started.startKind, startMs: this.#facts.startMs }, 'VM runs')
  }

  async #stop(graceMs: number): Promise<void> {
    this.#starting?.abort.abort(new Error('stopped'))
    await this.#starting?.promise.catch(() => {})
    const running = this.#running
    if (!running) return
    this.#setState('stopping')
    if (graceMs > 0) await endGently(running, graceMs, this.#log)
    await running.machine.kill()
    this.#leave(running)
    await this.#stopped()
  }

  async #suspend(graceMs: number): Promise<void> {
    const running = this.#running
    if (!running || !(await this.#rests(running))) return this.#stop(graceMs)
    this.#running = null
    running.release()
    running.unwatch()
    await this.#stopped()
  }

  async #rests({ machine, link, template }: Running): Promise<boolean> {
    if (!link) return false
    this.#setState('stopping')
    try {
      const { starter } = this.#context
      return await starter.rest(this.#spec, { machine, link, ...(template !== undefined && { template }) })
    } catch (error) {
      this.#log.warn({ err: error }, 'an idle program could not be paused and is stopped')
      return false
    }
  }

  async #stopped(): Promise<void> {
    this.#facts = { ...this.#facts, stoppedAt: Date.now() / 1000 }
    this.#setState('stopped')
    await this.#save('stopped')
  }

  /** Makes the machine the VM's own, and acts when it is lost. */
  #watch(parts: Omit<Running, 'unwatch'>): Running {
    const unwatch = watchMachine(parts, this.#log, (code, message) => this.#lost(running, code, message))
    const running: Running = { ...parts, unwatch }
    this.#running = running
    return running
  }

  async #lost(running: Running, code: string, message: string): Promise<void> {
    if (this.#running !== running || this.#stopping) return
    // A new machine would find the disks in use until this one is gone.
    this.#stopping = this.#clearAway(running, code, message).finally(() => {
      this.#stopping = null
    })
    await this.#stopping
  }

  async #clearAway(running: Running, code: string, message: string): Promise<void> {
    this.#leave(running)
    this.console.endLine()
    try {
      await this.#fail(code, message)
      await running.machine.kill()
    } catch (error) {
      this.#log.error({ err: error }, 'the end of a VM could not be handled completely')
    }
  }

  #leave(running: Running): void {
    if (this.#running === running) this.#running = null
    running.release()
    if (running.template !== undefined) this.#context.templates.release(running.template)
    this.#closeLink()
    running.link?.close().catch((error) => this.#log.debug({ err: error }, 'closing a guest channel'))
  }

  #closeLink(): void {
    const link = isInstance(this.#spec) ? this.#spec.link : undefined
    if (link === undefined) return
    this.#context.network
      ?.detach(link)
      .catch((error) => this.#log.error({ err: error }, 'the network of a VM was not taken down'))
  }

  async #fail(code: string, message: string): Promise<void> {
    this.#facts = { ...this.#facts, stoppedAt: Date.now() / 1000, error: { code, message } }
    this.#setState('failed')
    this.#log.warn({ code, message }, 'VM failed')
    await this.#save('failed')
  }

  #setState(state: VmState): void {
    this.#facts = { ...this.#facts, state }
    this.#context.onState(this.info)
  }

  async #save(state: VmRecord['state'], running?: { machine: Machine; template?: string }): Promise<void> {
    await this.#context.registry.save({
      ...this.#facts,
      spec: this.#spec,
      state,
      machine: running?.machine.record,
      template: running?.template,
    })
  }

  #handle(running: Running): RunningVm {
    const touch = () => {
      this.#facts = { ...this.#facts, lastUsedAt: Date.now() / 1000 }
    }
    const currentInfo = () => this.info
    touch()
    return {
      get info() {
        return currentInfo()
      },
      touch,
      openHttp: () => {
        if (this.#running !== running || !running.link) throw new VmNotRunningError(this.#spec.id)
        touch()
        return running.link.openStream(programDestination)
      },
    }
  }
}

/** What a running VM must be restarted for when it changes; ports are not. */
function keyOf(spec: VmSpec): string {
  return JSON.stringify(isInstance(spec) ? { ...spec, forwards: [] } : spec)
}
