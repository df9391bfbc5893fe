import { settingsSchema } from '../aggregates/settings.ts'
import { defaultSettings } from '../pricing/default-settings.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'

/** Who gets the community's fifth of every stream, and of machines started from when on. */
export interface CommunityShare {
  wallet: string
  /** Epoch seconds. */
  since: number
}

/**
 * The community's share as the network's `settings` aggregate says (protocol 04 §22.2); null when it names no wallet
 * or no beginning: then everything is the operator's. A network that published none has its profile's wallet.
 */
export function communityShare(settings: unknown, profile: NetworkProfile): CommunityShare | null {
  const published = settingsSchema.safeParse(settings)
  if (!published.success) {
    return { wallet: profile.addresses.communityWallet, since: defaultSettings.community_wallet_timestamp }
  }
  const { community_wallet_address: wallet, community_wallet_timestamp: since } = published.data
  return wallet !== '' && since > 0 ? { wallet, since } : null
}
