import type { GossipSub, GossipsubMessage, TopicValidatorResult } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { Connection, PeerId, Stream } from '@libp2p/interface'

/** A message as the first peer handed it to us. */
export interface GossipedMessage {
  /** Its gossip id (protocol 04 §2.4). */
  id: string
  /** The peer that handed it over first. */
  source: string
  data: Uint8Array
  raw: RPC.Message
  /** Peers that have sent it to us. */
  holders: Set<string>
}

/** What gossipsub knows and can do beyond its public interface; everything we rely on of it is in this file. */
interface Internals {
  streamsOutbound: Map<string, { rawStream: Stream }>
  onPeerConnected(peer: PeerId, connection: Connection): void
  getScore(peerId: string): number
  reportMessageValidationResult(messageId: string, peerId: string, result: TopicValidatorResult): void
  handleReceivedMessage(from: PeerId, message: RPC.Message): Promise<void>
  forwardMessage(id: string, message: RPC.Message, source: undefined, except: Set<string>): void
  sendIDontWants(id: Uint8Array, topic: string, source: string): void
  /** Ids of messages heard within the last half hour. */
  seenCache: { entries: Map<string, unknown>; has(id: string): boolean; put(id: string): void }
  /** Messages of the last seconds, for peers that ask for them by id. */
  mcache: { put(id: { msgId: Uint8Array; msgIdStr: string }, message: RPC.Message, valid: boolean): void }
  gossipTracer: { deliverMessage(id: string): void; rejectMessage(id: string, reason: string): void }
  score: {
    validateMessage(id: string): void
    duplicateMessage(peerId: string, id: string, topic: string): void
    deliverMessage(peerId: string, id: string, topic: string): void
    rejectMessage(peerId: string, id: string, topic: string, reason: string): void
    rejectInvalidMessage(peerId: string, topic: string): void
  }
  /** What peers said that they have, by peer. */
  idontwants: Map<string, Map<string, unknown>>
  /** Peers that listen to a topic. */
  topics: Map<string, Set<string>>
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

/** Hands the messages of a topic to `receive` before gossipsub has looked at them, and instead. */
export function receiveInstead(
  pubsub: GossipSub,
  topic: string,
  receive: (from: PeerId, message: RPC.Message) => void,
): void {
  const internals = internalsOf(pubsub)
  const handle = internals.handleReceivedMessage.bind(internals)
  internals.handleReceivedMessage = async (from, message) => {
    if (message.topic === topic) receive(from, message)
    else await handle(from, message)
  }
}

/** Whether nobody sent this message before; counts the copy for or against the peer that sent it. */
export function isFirstCopy(pubsub: GossipSub, id: string, peerId: string, topic: string): boolean {
  const { seenCache, score, gossipTracer } = internalsOf(pubsub)
  gossipTracer.deliverMessage(id)
  if (seenCache.has(id)) {
    score.duplicateMessage(peerId, id, topic)
    return false
  }
  seenCache.put(id)
  score.validateMessage(id)
  return true
}

/** Counts what was found out about a message for or against the peers that sent it. */
export function settle(
  pubsub: GossipSub,
  { id, source, raw }: GossipedMessage,
  verdict: 'accept' | 'reject' | 'ignore',
): void {
  const { score, gossipTracer } = internalsOf(pubsub)
  if (verdict === 'accept') {
    score.deliverMessage(source, id, raw.topic)
    return
  }
  score.rejectMessage(source, id, raw.topic, verdict)
  gossipTracer.rejectMessage(id, verdict)
}

/** Counts a message against the peer that sent it, although what it says was found to be in order. */
export function blame(pubsub: GossipSub, { source, raw }: GossipedMessage): void {
  internalsOf(pubsub).score.rejectInvalidMessage(source, raw.topic)
}

/** Peers that listen and neither sent a message nor said that they have it. */
export function peersLacking(pubsub: GossipSub, { id, raw, holders }: GossipedMessage): string[] {
  const { topics, idontwants } = internalsOf(pubsub)
  return [...(topics.get(raw.topic) ?? [])].filter(
    (peer) => !holders.has(peer) && !idontwants.get(peer)?.has(id),
  )
}

/** Sends a message to those peers of the mesh that lack it, and keeps it for those that ask. */
export function passOn(pubsub: GossipSub, { id, raw, holders }: GossipedMessage): void {
  const internals = internalsOf(pubsub)
  internals.mcache.put({ msgId: Buffer.from(id, 'latin1'), msgIdStr: id }, raw, true)
  internals.forwardMessage(id, raw, undefined, holders)
}

/** Publishes in our name what somebody else published. */
export async function publishAgain(pubsub: GossipSub, { id, raw, data }: GossipedMessage): Promise<void> {
  internalsOf(pubsub).seenCache.entries.delete(id)
  await pubsub.publish(raw.topic, data)
}

/** Tells peers that they need not send us a message, as far as they understand that (IDONTWANT). */
export function sayHave(pubsub: GossipSub, { id, source, raw }: GossipedMessage): void {
  internalsOf(pubsub).sendIDontWants(Buffer.from(id, 'latin1'), raw.topic, source)
}

function internalsOf(pubsub: GossipSub): Internals {
  return pubsub as unknown as Internals
}
