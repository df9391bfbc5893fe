import { settingsSchema } from '../aggregates/settings.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'

/** What a network asks of every compute node, whatever a VM asks for (protocol 06 §8.3). */
export interface PlacementPolicy {
  /** Nodes without a public IPv6 prefix get no VMs. */
  requiresIpv6Pool: boolean
  /** Chains on which streams of payment are seen. */
  streamChains: ReadonlySet<string>
  /** Hashes of compute nodes that get no VMs. */
  blacklist: ReadonlySet<string>
}

/** @param settings content of the network's `settings` aggregate; undefined when nobody published one */
export function placementPolicy(
  { placement, streams }: Pick<NetworkProfile, 'placement' | 'streams'>,
  settings: unknown,
): PlacementPolicy {
  const published = settingsSchema.safeParse(settings)
  return {
    requiresIpv6Pool: placement.requiresIpv6Pool ?? false,
    streamChains: new Set(streams.map(({ chain }) => chain)),
    blacklist: new Set(published.data?.blacklisted_nodes),
  }
}
