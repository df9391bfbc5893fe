import { Resolver } from 'node:dns/promises'
import { addressKey, classifyHash, domainsSchema } from '@aleph-ts/protocol'
import { AgentError } from '../errors.ts'

const FRESH_MS = 60_000
const MAX_CACHED = 1_000
/** Anybody can send any host name: not more questions than this are under way for them. */
const MAX_LOOKUPS = 32
const MAX_OWNERS = 4
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)+$/

export interface CustomDomainsOptions {
  /** The `domains` aggregate of an address, or null. */
  domainsOf: (owner: string) => Promise<unknown>
  resolveTxt?: (name: string) => Promise<string[][]>
}

/**
 * Which VM a custom domain shows: by the TXT record `_aleph-id.<host>` (protocol 05 §5.1), else by the `domains`
 * aggregate of the address that the TXT record `_control.<host>` names. Anybody can claim any domain in an
 * aggregate: the DNS alone says whose it is (protocol 06 §9.4).
 */
export class CustomDomains {
  readonly #options: CustomDomainsOptions
  readonly #resolveTxt: (name: string) => Promise<string[][]>
  readonly #cache = new Map<string, { hash: string | null; checkedAt: number }>()
  readonly #lookups = new Map<string, Promise<string | null>>()

  constructor(options: CustomDomainsOptions) {
    this.#options = options
    const resolver = new Resolver({ timeout: 2_000, tries: 1 })
    this.#resolveTxt = options.resolveTxt ?? ((name) => resolver.resolveTxt(name))
  }

  /**
   * Item hash, or null when the domain names none or cannot be looked up. Kept for a minute.
   * Throws AgentError `overloaded` when too many lookups are under way.
   */
  async lookup(host: string): Promise<string | null> {
    if (!HOST_NAME.test(host)) return null
    const cached = this.#cache.get(host)
    if (cached && Date.now() - cached.checkedAt < FRESH_MS) return cached.hash
    let lookup = this.#lookups.get(host)
    if (!lookup) {
      if (this.#lookups.size >= MAX_LOOKUPS) {
        throw new AgentError('overloaded', 'Too many domains are looked up at once; try again shortly')
      }
      lookup = this.#lookUp(host).finally(() => this.#lookups.delete(host))
      this.#lookups.set(host, lookup)
    }
    return lookup
  }

  /** Domains that were looked up within the last minute and name a VM. */
  known(): { name: string; hash: string }[] {
    return [...this.#cache].flatMap(([name, { hash, checkedAt }]) =>
      hash !== null && Date.now() - checkedAt < FRESH_MS ? [{ name, hash }] : [],
    )
  }

  /** Has every domain looked up anew. */
  forgetAll(): void {
    this.#cache.clear()
  }

  async #lookUp(host: string): Promise<string | null> {
    const hash = (await this.#named(host)) ?? (await this.#claimed(host))
    if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value as string)
    this.#cache.set(host, { hash, checkedAt: Date.now() })
    return hash
  }

  async #named(host: string): Promise<string | null> {
    const texts = await this.#texts(`_aleph-id.${host}`)
    return texts.find((text) => classifyHash(text) === 'storage') ?? null
  }

  async #claimed(host: string): Promise<string | null> {
    for (const owner of (await this.#texts(`_control.${host}`)).slice(0, MAX_OWNERS)) {
      const aggregate = await this.#options.domainsOf(addressKey('ETH', owner)).catch(() => null)
      const entry = (aggregate as Record<string, unknown> | null)?.[host] ?? null
      // What the owner wrote of other domains, right or wrong, does not matter here.
      const claim = domainsSchema.safeParse({ [host]: entry }).data?.[host]
      if (claim && claim.type !== 'ipfs' && classifyHash(claim.message_id) === 'storage')
        return claim.message_id
    }
    return null
  }

  async #texts(name: string): Promise<string[]> {
    const records = await this.#resolveTxt(name).catch(() => [])
    return records.map((chunks) => chunks.join('').trim())
  }
}
