import {
  type DesiredState,
  emptyPlan,
  type NotifiedPayment,
  type Plan,
  type PlanFile,
  wantedVms,
} from './plan.ts'

/** Reasons that are remembered. */
const MAX_ENDED = 1_000

/** What should run here and who wants it, kept on disk at every change. */
export class Wishes {
  readonly #file: PlanFile
  #state: DesiredState = emptyPlan
  #saving: Promise<void> = Promise.resolve()

  constructor(file: PlanFile) {
    this.#file = file
  }

  get state(): DesiredState {
    return this.#state
  }

  /** Everything that should run all the time. */
  get wanted(): Set<string> {
    return wantedVms(this.#state)
  }

  /** Goes on with what was stored; false when nothing was. Throws when the file is damaged. */
  async load(): Promise<boolean> {
    const stored = await this.#file.read()
    if (stored) this.#state = stored
    return stored !== null
  }

  /** A version 1 push. */
  async plan(plan: Plan): Promise<void> {
    await this.#save({ ...this.#state, ...plan, vms: [], released: [], governedBy: 'v1' })
  }

  /** A version 2 plan, which is total. */
  async planV2(vms: string[]): Promise<void> {
    const none = { persistent_vms: [], instances: [], on_demand_vms: [], released: [] }
    await this.#save({ ...this.#state, ...none, vms, governedBy: 'v2' })
  }

  /** The owner of a VM wants it here. */
  async notify(hash: string, payment: NotifiedPayment): Promise<void> {
    const { notified, released } = this.#state
    await this.#save({
      ...this.#state,
      notified: { ...notified, [hash]: payment },
      released: released.filter((other) => other !== hash),
    })
  }

  /** The owner does not want the VM here any more. */
  async dismiss(hash: string): Promise<void> {
    const { [hash]: payment, ...notified } = this.#state.notified
    if (payment !== undefined) await this.#save({ ...this.#state, notified })
  }

  /** The node ends the VM, as its owner would, and remembers why for whoever asks. */
  async end(hash: string, reason: DesiredState['ended'][string]): Promise<void> {
    const wasWanted = this.wanted.has(hash)
    const { [hash]: _payment, ...notified } = this.#state.notified
    const { [hash]: _former, ...ended } = this.#state.ended
    const state = { ...this.#state, notified, ended: newest({ ...ended, [hash]: reason }) }
    const isPlanned = wasWanted && wantedVms(state).has(hash)
    await this.#save(isPlanned ? { ...state, released: [...state.released, hash] } : state)
  }

  /** The owner stopped the VM: it is not wanted until the next push, `notify` or `resume`. */
  async release(hash: string): Promise<void> {
    if (!this.wanted.has(hash)) return
    await this.#save({ ...this.#state, released: [...this.#state.released, hash] })
  }

  /** Undoes `release`; false when nobody ever asked for the VM here. */
  async resume(hash: string): Promise<boolean> {
    const state = { ...this.#state, released: this.#state.released.filter((other) => other !== hash) }
    if (!wantedVms(state).has(hash)) return false
    await this.#save(state)
    return true
  }

  async #save(state: DesiredState): Promise<void> {
    this.#state = state
    const saving = this.#saving.then(() => this.#file.write(state))
    this.#saving = saving.catch(() => undefined)
    await saving
  }
}

function newest(ended: DesiredState['ended']): DesiredState['ended'] {
  return Object.fromEntries(Object.entries(ended).slice(-MAX_ENDED))
}
