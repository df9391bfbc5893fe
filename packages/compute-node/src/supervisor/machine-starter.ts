import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { HypervisorError } from '../hypervisor/index.ts'
import { setClock } from './awaken.ts'
import type { ConsoleLog } from './console-log.ts'
import { endGently } from './end-gently.ts'
import { maySnapshot, programDestination } from './guest-setup.ts'
import { startInstance } from './instance-start.ts'
import { StandbyPool } from './standby-pool.ts'
import {
  StartAttempt,
  type StartedMachine,
  type StartedProgram,
  type StarterContext,
} from './start-attempt.ts'
import { VmStartError } from './vm-errors.ts'
import { isInstance, type ProgramSpec, type VmSpec } from './vm-spec.ts'

/** A program that changed more of its memory than this does not rest: a clone that did not is cheaper to keep. */
const mostRestingBytes = 96 * 1024 * 1024
/** How long one that rested may take to end. */
const restedGraceMs = 5000
/** How long a program may take to notice the end of a connection. */
const warmConnectionMs = 1000

/** Starts machines by the fastest way there is: a standby, a clone of a template, its runtime's, a boot. */
export class MachineStarter {
  readonly #context: StarterContext
  readonly #standbys: StandbyPool

  constructor(context: StarterContext, standbyLimit: number) {
    this.#context = context
    this.#standbys = new StandbyPool(standbyLimit, (machine) => this.#abandon(machine), context.log)
  }

  get standbyCount(): number {
    return this.#standbys.count
  }

  /** @throws VmStartError; no machine is left then. */
  async start(spec: VmSpec, console: ConsoleLog, signal: AbortSignal): Promise<StartedMachine> {
    try {
      if (isInstance(spec)) return await startInstance(spec, this.#context, console, signal)
      const standby = await this.#takeStandby(spec)
      return standby ?? (await new StartAttempt(this.#context, spec, console, signal).run())
    } catch (error) {
      throw toStartError(error, spec, console, signal)
    }
  }

  /**
   * Has a paused clone ready for the VM's next start, in the background. Under software emulation most of a
   * start is translating guest code for the first time: the standby has been through that.
   */
  prepare(spec: VmSpec, console: ConsoleLog): void {
    if (isInstance(spec)) return
    const key = this.#context.templates.keyOf(spec)
    if (!maySnapshot(spec) || !this.#context.templates.has(key)) return
    this.#standbys.offer(spec.id, key, async (signal) => {
      const started = await this.#context.slots.run(signal, () =>
        new StartAttempt(this.#context, spec, console, signal).restore(key),
      )
      if (!started) return null
      try {
        await warmUp(started)
        await started.machine.pause()
        return started
      } catch (error) {
        await this.#abandon(started)
        throw error
      }
    })
  }

  /**
   * Takes a program that nobody calls, with all it has in memory, so that its next start goes on from there, once
   * (level C of protocol 05 §21.6).
   *
   * @returns whether it rests now; if not, it still runs
   */
  async rest(spec: VmSpec, running: Omit<StartedProgram, 'startKind'>): Promise<boolean> {
    if (isInstance(spec) || !maySnapshot(spec) || !this.#standbys.isOpen) return false
    if ((await running.machine.ownMemory()) > mostRestingBytes) return false
    await running.machine.pause()
    const key = this.#context.templates.keyOf(spec)
    await this.#standbys.admit(spec.id, key, { ...running, startKind: 'resumed' })
    return true
  }

  /** Ends the VM if it rests; a clone that waits for its next start stays. */
  async endRest(id: string): Promise<void> {
    if (this.#standbys.isResting(id)) await this.#standbys.discard(id)
  }

  /** Ends the VM's standby, if it has one. */
  async forget(id: string): Promise<void> {
    await this.#standbys.discard(id)
  }

  /** Ends all standbys and makes no more; waits for a runtime that boots. */
  async close(): Promise<void> {
    await this.#standbys.close()
    await this.#context.runtimes.settled()
  }

  async #takeStandby(spec: ProgramSpec): Promise<StartedProgram | null> {
    const standby = await this.#standbys.take(spec.id, this.#context.templates.keyOf(spec))
    if (!standby) return null
    try {
      await standby.machine.resume()
      await setClock(standby.link)
      if (standby.link.programState !== 'ready') throw new Error('its program ended')
      return standby
    } catch (error) {
      this.#context.log.warn({ err: error, vm: spec.id }, 'a standby did not wake up; starting anew')
      await this.#abandon(standby)
      return null
    }
  }

  async #abandon({ machine, link, template, startKind }: StartedMachine): Promise<void> {
    if (template) this.#context.templates.release(template)
    // Unlike a clone that was never called, it may have something to finish.
    if (startKind === 'resumed') await this.#endRested({ machine, link })
    await machine.kill()
    await link?.close()
  }

  async #endRested(rested: Pick<StartedMachine, 'machine' | 'link'>): Promise<void> {
    const { log } = this.#context
    try {
      await rested.machine.resume()
      await endGently(rested, restedGraceMs, log)
    } catch (error) {
      log.debug({ err: error }, 'a program that rested was not asked to end')
    }
  }
}

/**
 * The runtime rehearses, and a connection ends without a request: all is warm, and the program was asked nothing.
 * Another connection waits for the first request.
 */
async function warmUp({ link }: StartedProgram): Promise<void> {
  await link.control('rehearse')
  const connection = link.openStream(programDestination)
  connection.on('error', () => {})
  connection.resume()
  connection.end()
  await Promise.race([once(connection, 'close'), sleep(warmConnectionMs)])
  connection.destroy()
  await link.control('connect')
}

function toStartError(error: unknown, spec: VmSpec, console: ConsoleLog, signal: AbortSignal): VmStartError {
  const log = console.tail()
  if (signal.aborted) {
    return new VmStartError('stopped', `VM ${spec.id} was stopped while it started`, { log, cause: error })
  }
  if (error instanceof VmStartError) {
    return new VmStartError(error.code, error.message, { log, cause: error.cause })
  }
  const code = error instanceof HypervisorError ? 'hypervisor_failed' : 'guest_failed'
  return new VmStartError(code, error instanceof Error ? error.message : String(error), { log, cause: error })
}
