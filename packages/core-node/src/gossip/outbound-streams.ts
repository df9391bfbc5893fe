import type { GossipSub } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'

/**
 * Whether gossip can be sent to a peer right now. gossipsub counts a peer as subscribed as soon as it hears from it,
 * which may be before its own stream to that peer is open, and does not say so through its interface.
 */
export function hasOutboundStream(pubsub: GossipSub, peer: PeerId): boolean {
  const { streamsOutbound } = pubsub as unknown as { streamsOutbound: Map<string, unknown> }
  return streamsOutbound.has(peer.toString())
}
