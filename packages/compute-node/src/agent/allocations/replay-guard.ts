import { readFile } from 'node:fs/promises'
import { allocationAuthLimits } from '@aleph-ts/protocol'
import { writeFileAtomically } from './state-file.ts'

/** An accepted payload can be replayed as long as its `iat` is in the window on either side of now. */
const MEMORY_SECONDS = 2 * allocationAuthLimits.clockSkewSeconds
const MAX_REMEMBERED = 10_000

/**
 * Remembers which signed requests were accepted, across restarts, so that none is obeyed twice
 * (protocol 05 §4.4). Keyed by the payload's hash, because an ECDSA signature can be rewritten by anyone.
 */
export class ReplayGuard {
  readonly #file: string
  readonly #expiries: Map<string, number>

  private constructor(file: string, expiries: Map<string, number>) {
    this.#file = file
    this.#expiries = expiries
  }

  static async create(file: string): Promise<ReplayGuard> {
    const text = await readFile(file, 'utf8').catch(() => '[]')
    return new ReplayGuard(file, new Map(parseEntries(text)))
  }

  /** Whether this payload of this signer is new; remembers it durably before saying so. `now` in epoch seconds. */
  async accept(signer: string, payloadHash: string, now: number): Promise<boolean> {
    for (const [key, expiry] of this.#expiries) if (expiry < now) this.#expiries.delete(key)
    const key = `${signer}/${payloadHash}`
    if (this.#expiries.has(key) || this.#expiries.size >= MAX_REMEMBERED) return false
    this.#expiries.set(key, now + MEMORY_SECONDS)
    await writeFileAtomically(this.#file, JSON.stringify([...this.#expiries]))
    return true
  }
}

function parseEntries(text: string): [string, number][] {
  try {
    return JSON.parse(text) as [string, number][]
  } catch {
    return []
  }
}
