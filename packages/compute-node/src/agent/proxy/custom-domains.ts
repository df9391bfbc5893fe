import { Resolver } from 'node:dns/promises'
import { classifyHash } from '@aleph-ts/protocol'

const FRESH_MS = 60_000
const MAX_CACHED = 1_000

/** Looks up which program a custom domain names, by the TXT record of `_aleph-id.<host>` (protocol 05 §5.1). */
export class CustomDomains {
  readonly #resolveTxt: (name: string) => Promise<string[][]>
  readonly #cache = new Map<string, { hash: string | null; checkedAt: number }>()

  constructor(resolveTxt?: (name: string) => Promise<string[][]>) {
    const resolver = new Resolver({ timeout: 2_000, tries: 1 })
    this.#resolveTxt = resolveTxt ?? ((name) => resolver.resolveTxt(name))
  }

  /** Item hash, or null when the domain names none or cannot be looked up. Kept for a minute. */
  async lookup(host: string): Promise<string | null> {
    const cached = this.#cache.get(host)
    if (cached && Date.now() - cached.checkedAt < FRESH_MS) return cached.hash
    const records = await this.#resolveTxt(`_aleph-id.${host}`).catch(() => [])
    const hash =
      records.map((chunks) => chunks.join('')).find((text) => classifyHash(text) === 'storage') ?? null
    if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value as string)
    this.#cache.set(host, { hash, checkedAt: Date.now() })
    return hash
  }
}
