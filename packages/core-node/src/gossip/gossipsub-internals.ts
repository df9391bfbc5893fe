import type { GossipSub } from '@libp2p/gossipsub'
import type { Connection, PeerId } from '@libp2p/interface'

/** What gossipsub knows and can do beyond its public interface; everything we rely on of it is in this file. */
interface Internals {
  streamsOutbound: Map<string, unknown>
  onPeerConnected(peer: PeerId, connection: Connection): void
}

/**
 * Whether gossip can be sent to a peer right now. gossipsub counts a peer as subscribed as soon as it hears from it,
 * which may be before its own stream to that peer is open.
 */
export function hasOutboundStream(pubsub: GossipSub, peer: PeerId): boolean {
  return internalsOf(pubsub).streamsOutbound.has(peer.toString())
}

/** Makes gossipsub open its stream to a peer of which it was not told that it speaks gossip. */
export function offerGossip(pubsub: GossipSub, connection: Connection): void {
  internalsOf(pubsub).onPeerConnected(connection.remotePeer, connection)
}

function internalsOf(pubsub: GossipSub): Internals {
  return pubsub as unknown as Internals
}
