import type { ProgramSpec, RunningVm } from '../../supervisor/index.ts'
import { GuestConnections } from '../proxy/guest-connections.ts'
import type { ProgramFacts } from './program-loader.ts'

/** One VM of a program, with the connections to it. */
export interface PoolMember {
  vm: RunningVm
  connections: GuestConnections
  /** Calls under way. */
  calls: number
  /** Epoch milliseconds. */
  lastUsedAt: number
}

/** VMs that run one version of a program; calls go to the one with the fewest. */
export class ProgramPool {
  readonly facts: ProgramFacts
  /** Of the first VM; the others differ in their ids alone. */
  readonly spec: ProgramSpec
  readonly #members: PoolMember[] = []
  #whenIdle: (() => void)[] = []

  constructor(facts: ProgramFacts, spec: ProgramSpec) {
    this.facts = facts
    this.spec = spec
  }

  get members(): readonly PoolMember[] {
    return this.#members
  }

  /** Calls under way to all members. */
  get calls(): number {
    return this.#members.reduce((sum, { calls }) => sum + calls, 0)
  }

  add(vm: RunningVm): void {
    this.#members.push({ vm, connections: new GuestConnections(vm), calls: 0, lastUsedAt: Date.now() })
  }

  /** The member with the fewest calls under way, the first among equals. */
  leastBusy(): PoolMember | undefined {
    let best: PoolMember | undefined
    for (const member of this.#members) if (!best || member.calls < best.calls) best = member
    return best
  }

  /** A call begins; the function returned says that it ended, once. */
  enter(member: PoolMember): () => void {
    member.calls += 1
    let ended = false
    return () => {
      if (ended) return
      ended = true
      member.calls -= 1
      member.lastUsedAt = Date.now()
      member.vm.touch()
      if (this.calls === 0) this.#tellIdle()
    }
  }

  /** Resolves when no call is under way, or after `timeoutMs`. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.calls === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#whenIdle.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Takes a member out, whose VM has ended or shall end; its connections end too. */
  remove(vmId: string): void {
    const index = this.#members.findIndex(({ vm }) => vm.info.id === vmId)
    if (index < 0) return
    const [member] = this.#members.splice(index, 1)
    member?.connections.destroy()
  }

  /** Ends the connections to every member. */
  close(): void {
    for (const { connections } of this.#members.splice(0)) connections.destroy()
    this.#tellIdle()
  }

  #tellIdle(): void {
    const waiting = this.#whenIdle
    this.#whenIdle = []
    for (const tell of waiting) tell()
  }
}
