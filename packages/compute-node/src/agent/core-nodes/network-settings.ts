import {
  type CommunityShare,
  communityShare,
  type NetworkProfile,
  type SettingsAggregate,
  settingsSchema,
} from '@aleph-ts/protocol'
import type { MessageSource } from './message-source.ts'

/** What the network published for all nodes: its `settings` aggregate (protocol 05 §17.3), at most a minute old. */
export class NetworkSettings {
  readonly #messages: MessageSource
  readonly #profile: NetworkProfile

  constructor(messages: MessageSource, profile: NetworkProfile) {
    this.#messages = messages
    this.#profile = profile
  }

  /** Null when there are none. Throws AgentError `core_nodes_unreachable`. */
  async published(): Promise<SettingsAggregate | null> {
    const settings = settingsSchema.safeParse(await this.#aggregate())
    return settings.success ? settings.data : null
  }

  /** Who gets a share of streams beside this node; null: nobody. Throws AgentError `core_nodes_unreachable`. */
  async communityShare(): Promise<CommunityShare | null> {
    return communityShare(await this.#aggregate(), this.#profile)
  }

  async #aggregate(): Promise<unknown> {
    return this.#messages.aggregate(this.#profile.addresses.settings, 'settings')
  }
}
