import { corechannelSchema, type NetworkProfile } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import type { MessageSource } from '../core-nodes/message-source.ts'
import type { NetworkSettings } from '../core-nodes/network-settings.ts'
import type { NodeIdentity } from '../core-nodes/node-identity.ts'

export interface AllocationSignersOptions {
  messages: MessageSource
  settings: NetworkSettings
  profile: NetworkProfile
  /** The operator's own list; when not empty it counts alone. */
  override: string[]
  identity: Pick<NodeIdentity, 'hash'>
  logger: Logger
}

/**
 * Who may tell this node what to run (protocol 05 §4.4, 06 §8.5): the operator's list alone if there is one;
 * otherwise the network's schedulers and the owner of the core node this node is linked to. A node that was unlinked
 * goes on with its former core node until it is linked to another one: that one lets its instances move away.
 */
export class AllocationSigners {
  readonly #options: AllocationSignersOptions
  /** Owner of the core node that this node was linked to last. */
  #formerParent: string | null = null

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
    const settings = await this.#orNull(this.#options.settings.published())
    return settings?.authorized_allocation_signers ?? []
  }

  async #parentOwner(): Promise<string | null> {
    const { identity, profile } = this.#options
    const nodeHash = identity.hash
    if (nodeHash === null) return null
    const { messages } = this.#options
    const aggregate = await this.#orNull(messages.aggregate(profile.addresses.corechannel, 'corechannel'))
    const registry = corechannelSchema.safeParse(aggregate)
    if (!registry.success) return null
    const self = registry.data.resource_nodes.find(({ hash }) => hash === nodeHash)
    if (self?.status !== 'linked') return self ? this.#formerParent : null
    const parent = registry.data.nodes.find(({ hash }) => hash === self.parent)?.owner ?? null
    this.#formerParent = parent
    return parent
  }

  async #orNull<T>(asked: Promise<T>): Promise<T | null> {
    try {
      return await asked
    } catch (error) {
      this.#options.logger.warn({ reason: (error as Error).message }, 'cannot read who may allocate')
      return null
    }
  }
}

function lowerCase(addresses: string[]): ReadonlySet<string> {
  return new Set(addresses.map((address) => address.toLowerCase()))
}
