import { readFile } from 'node:fs/promises'
import { addressKey, corechannelSchema, type NetworkProfile } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import { z } from 'zod'
import { writeFileAtomically } from '../allocations/state-file.ts'
import type { MessageSource } from './message-source.ts'

export interface NodeIdentityOptions {
  /** Hash of the registration as the operator gives it; null: to be found. */
  configured: string | null
  ownerAddress: string
  domainName: string
  messages: Pick<MessageSource, 'aggregate'>
  profile: NetworkProfile
  /** Remembers what was found. */
  path: string
  logger: Logger
}

const rememberedSchema = z.object({ hash: z.string(), owner: z.string(), domain: z.string() })

/** Which registered node this is: told by the operator, or found by its owner and address (protocol 05 §17.2). */
export class NodeIdentity {
  readonly #options: NodeIdentityOptions
  #hash: string | null

  constructor(options: NodeIdentityOptions) {
    this.#options = options
    this.#hash = options.configured
  }

  /** Hash of the registration; null while it is not known. */
  get hash(): string | null {
    return this.#hash
  }

  /** Takes what an earlier run found, and looks for it in the background where there was none. */
  async start(): Promise<void> {
    if (this.#hash !== null) return
    const { path, ownerAddress: owner, domainName: domain, logger } = this.#options
    const text = await readFile(path, 'utf8').catch(() => 'null')
    const remembered = rememberedSchema.safeParse(JSON.parse(text))
    if (remembered.data?.owner === owner && remembered.data.domain === domain) {
      this.#hash = remembered.data.hash
      return
    }
    this.look().catch((error: unknown) => logger.warn({ err: error }, 'the registry could not be read'))
  }

  /** Looks for the registration where it is not known; exactly one must fit. */
  async look(): Promise<void> {
    const { ownerAddress: owner, domainName: domain, messages, profile, path, logger } = this.#options
    if (this.#hash !== null || owner === '') return
    const published = await messages.aggregate(profile.addresses.corechannel, 'corechannel')
    const registry = corechannelSchema.safeParse(published)
    const fitting = (registry.data?.resource_nodes ?? []).filter(
      (node) =>
        addressKey('ETH', node.owner) === addressKey('ETH', owner) &&
        node.address.replace(/\/+$/, '').toLowerCase() === `https://${domain}`,
    )
    if (fitting.length !== 1) return
    this.#hash = fitting[0]!.hash
    logger.info({ nodeHash: this.#hash }, 'found the registration of this node')
    await writeFileAtomically(path, JSON.stringify({ hash: this.#hash, owner, domain }))
  }
}
