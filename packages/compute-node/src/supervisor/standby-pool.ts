import type { Logger } from 'pino'
import type { StartedProgram } from './start-attempt.ts'

interface Standby {
  key: string
  machine: StartedProgram
}

/** How many to keep: each has some 32 MiB of its own, so that all take a sixteenth of the memory for VMs, or 1 GiB. */
export function defaultStandbys(memoryMiB: number): number {
  return Math.min(32, Math.max(4, Math.floor(memoryMiB / 512)))
}

/** Paused machines that wait for the next start of their VM, at most `limit`: the oldest give way. */
export class StandbyPool {
  readonly #limit: number
  readonly #end: (machine: StartedProgram) => Promise<void>
  readonly #log: Logger
  /** By VM; the oldest first. */
  readonly #standbys = new Map<string, Standby>()
  readonly #preparing = new Map<string, { done: Promise<void>; abort: AbortController }>()
  #closed = false

  /** `end` disposes of a standby that is not wanted any more. */
  constructor(limit: number, end: (machine: StartedProgram) => Promise<void>, log: Logger) {
    this.#limit = limit
    this.#end = end
    this.#log = log
  }

  /** Whether any may come. */
  get isOpen(): boolean {
    return !this.#closed && this.#limit > 0
  }

  get count(): number {
    return this.#standbys.size
  }

  /** Prepares a standby in the background, unless the VM has one or one is on its way. */
  offer(id: string, key: string, prepare: (signal: AbortSignal) => Promise<StartedProgram | null>): void {
    if (!this.isOpen || this.#preparing.has(id)) return
    if (this.#standbys.get(id)?.key === key) return
    const abort = new AbortController()
    const done = prepare(abort.signal)
      .then((machine) => {
        if (!machine) return
        return abort.signal.aborted ? this.#end(machine) : this.admit(id, key, machine)
      })
      .catch((error) => {
        if (!abort.signal.aborted) this.#log.warn({ err: error, vm: id }, 'no standby could be prepared')
      })
      .finally(() => this.#preparing.delete(id))
    this.#preparing.set(id, { done, abort })
  }

  /** The VM's standby, now the caller's; null if there is none of this key. */
  async take(id: string, key: string): Promise<StartedProgram | null> {
    const standby = this.#standbys.get(id)
    if (!standby) return null
    if (standby.key !== key) {
      await this.discard(id)
      return null
    }
    this.#standbys.delete(id)
    return standby.machine
  }

  /** Takes a paused machine in the place of the one that the VM may have. */
  async admit(id: string, key: string, machine: StartedProgram): Promise<void> {
    const former = this.#standbys.get(id)
    const standby = { key, machine }
    this.#standbys.delete(id)
    this.#standbys.set(id, standby)
    machine.machine.exited.then(() => {
      if (this.#standbys.get(id) === standby)
        this.discard(id).catch((error) => this.#log.warn({ err: error }))
    })
    if (former) await this.#end(former.machine)
    while (this.#standbys.size > this.#limit) await this.discard(this.#standbys.keys().next().value!)
  }

  /** Whether the VM itself rests here, rather than a clone that was never asked anything. */
  isResting(id: string): boolean {
    return this.#standbys.get(id)?.machine.startKind === 'resumed'
  }

  async discard(id: string): Promise<void> {
    const preparing = this.#preparing.get(id)
    preparing?.abort.abort(new Error('not wanted any more'))
    await preparing?.done
    const standby = this.#standbys.get(id)
    if (!standby) return
    this.#standbys.delete(id)
    await this.#end(standby.machine)
  }

  async close(): Promise<void> {
    this.#closed = true
    const ids = new Set([...this.#preparing.keys(), ...this.#standbys.keys()])
    await Promise.all([...ids].map((id) => this.discard(id)))
  }
}
