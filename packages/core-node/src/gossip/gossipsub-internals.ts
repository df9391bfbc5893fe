import type { GossipSub, GossipsubMessage, TopicValidatorResult } from '@libp2p/gossipsub'
import type { Connection, PeerId, Stream } from '@libp2p/interface'

/** What gossipsub knows and can do beyond its public interface; everything we rely on of it is in this file. */
interface Internals {
  streamsOutbound: Map<string, { rawStream: Stream }>
  onPeerConnected(peer: PeerId, connection: Connection): void
  getScore(peerId: string): number
  reportMessageValidationResult(messageId: string, peerId: string, result: TopicValidatorResult): void
}

/**
 * Whether gossip can be sent to a peer right now. gossipsub counts a peer as subscribed as soon as it hears from it,
 * which may be before its own stream to that peer is open, or after that stream broke.
 */
export function hasOutboundStream(pubsub: GossipSub, peer: PeerId): boolean {
  return hasOutboundStreamTo(pubsub, peer.toString())
}

/** The same of a peer id in text. */
export function hasOutboundStreamTo(pubsub: GossipSub, peerId: string): boolean {
  return internalsOf(pubsub).streamsOutbound.get(peerId)?.rawStream.status === 'open'
}

/**
 * Makes gossipsub open its stream to a peer: one that never said it speaks gossip, or one whose stream broke on a
 * living connection. A stream that broke while it was being opened would otherwise count as open for ever.
 */
export function offerGossip(pubsub: GossipSub, connection: Connection): void {
  const { remotePeer } = connection
  if (hasOutboundStream(pubsub, remotePeer)) return
  internalsOf(pubsub).streamsOutbound.delete(remotePeer.toString())
  internalsOf(pubsub).onPeerConnected(remotePeer, connection)
}

/** What gossipsub thinks of a peer, with what this node adds to it. */
export function scoreOf(pubsub: GossipSub, peerId: string): number {
  return internalsOf(pubsub).getScore(peerId)
}

/** What became of a received message: an accepted one is forwarded to peers that have not sent it themselves. */
export function report(pubsub: GossipSub, message: GossipsubMessage, result: TopicValidatorResult): void {
  const { msgId, propagationSource } = message
  internalsOf(pubsub).reportMessageValidationResult(msgId, propagationSource.toString(), result)
}

function internalsOf(pubsub: GossipSub): Internals {
  return pubsub as unknown as Internals
}
