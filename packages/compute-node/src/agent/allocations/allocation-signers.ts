import { corechannelSchema, type NetworkProfile, settingsSchema } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import type { MessageSource } from '../core-nodes/message-source.ts'

export interface AllocationSignersOptions {
  messages: MessageSource
  profile: NetworkProfile
  /** The operator's own list; when not empty it counts alone. */
  override: string[]
  nodeHash: string | null
  logger: Logger
}

/**
 * Who may tell this node what to run (protocol 05 §4.4, 06 §8.5): the operator's list alone if there is one;
 * otherwise the network's schedulers and the owner of the core node this node is linked to.
 */
export class AllocationSigners {
  readonly #options: AllocationSignersOptions

  constructor(options: AllocationSignersOptions) {
    this.#options = options
  }

  /** Addresses in lower case. A source that cannot be read adds nobody. */
  async current(): Promise<ReadonlySet<string>> {
    const { override, profile } = this.#options
    if (override.length > 0) return lowerCase(override)
    const [listed, parent] = await Promise.all([this.#listed(), this.#parentOwner()])
    const schedulers = listed.length > 0 ? listed : profile.defaultAllocationSigners
    return lowerCase(parent ? [...schedulers, parent] : schedulers)
  }

  async #listed(): Promise<string[]> {
    const settings = settingsSchema.safeParse(
      await this.#aggregate(this.#options.profile.addresses.settings, 'settings'),
    )
    return settings.success ? settings.data.authorized_allocation_signers : []
  }

  async #parentOwner(): Promise<string | null> {
    const { nodeHash, profile } = this.#options
    if (nodeHash === null) return null
    const aggregate = await this.#aggregate(profile.addresses.corechannel, 'corechannel')
    const registry = corechannelSchema.safeParse(aggregate)
    if (!registry.success) return null
    const self = registry.data.resource_nodes.find(({ hash }) => hash === nodeHash)
    if (self?.status !== 'linked') return null
    return registry.data.nodes.find(({ hash }) => hash === self.parent)?.owner ?? null
  }

  async #aggregate(address: string, key: string): Promise<unknown> {
    try {
      return await this.#options.messages.aggregate(address, key)
    } catch (error) {
      this.#options.logger.warn({ key, reason: (error as Error).message }, 'cannot read who may allocate')
      return null
    }
  }
}

function lowerCase(addresses: string[]): ReadonlySet<string> {
  return new Set(addresses.map((address) => address.toLowerCase()))
}
