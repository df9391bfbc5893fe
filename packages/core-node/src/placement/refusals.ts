/** Why a compute node refused a VM, in the words of the plan protocol (protocol 06 §7.5, §8.6). */
export interface Refusal {
  /** A stable code. */
  code: string
  /** Epoch ms; null: as long as this node knows. */
  until: number | null
}

/** The node did not manage to fetch a VM that moves there. */
export const targetFailed = 'target_failed'

/** The node is full now, and may have room later. */
const passing = new Set(['insufficient_capacity', 'gpu_unavailable', targetFailed])
/** The node will never run this VM. */
const lasting = new Set([
  'node_mismatch',
  'invalid_message',
  'invalid_program',
  'unsupported',
  'node_hash_unknown',
])

const passingMs = 30 * 60_000
/** A node that refuses so many in an hour gets nothing new until the hour is over. */
const mostPerHour = 3
const hourMs = 3_600_000

/** What compute nodes refused to run, so that it is tried elsewhere (protocol 06 §8.6). */
export class Refusals {
  readonly #now: () => number
  /** By VM, by compute node. */
  readonly #byVm = new Map<string, Map<string, Refusal>>()
  /** When a node refused for want of room, epoch ms. */
  readonly #times = new Map<string, number[]>()

  constructor({ now = Date.now }: { now?: () => number } = {}) {
    this.#now = now
  }

  /** @returns whether the code is one of a refusal; any other failure may pass where it is */
  add(vmHash: string, computeNode: string, code: string): boolean {
    if (!passing.has(code) && !lasting.has(code)) return false
    if (this.of(vmHash, computeNode) !== null) return true
    const now = this.#now()
    const refusals = this.#byVm.get(vmHash) ?? new Map<string, Refusal>()
    this.#byVm.set(vmHash, refusals)
    refusals.set(computeNode, { code, until: passing.has(code) ? now + passingMs : null })
    if (passing.has(code)) this.#times.set(computeNode, [...this.#recent(computeNode), now])
    return true
  }

  /** Why a compute node does not take a VM; null when it never refused it, or long ago. */
  of(vmHash: string, computeNode: string): string | null {
    const refusal = this.#byVm.get(vmHash)?.get(computeNode)
    if (!refusal || (refusal.until !== null && refusal.until <= this.#now())) return null
    return refusal.code
  }

  /** Whether a compute node refused so often that it gets nothing new. */
  isTiresome(computeNode: string): boolean {
    return this.#recent(computeNode).length >= mostPerHour
  }

  /** Forgets VMs that are no more. */
  keep(vmHashes: ReadonlySet<string>): void {
    for (const vmHash of this.#byVm.keys()) if (!vmHashes.has(vmHash)) this.#byVm.delete(vmHash)
  }

  #recent(computeNode: string): number[] {
    const since = this.#now() - hourMs
    return (this.#times.get(computeNode) ?? []).filter((time) => time > since)
  }
}
