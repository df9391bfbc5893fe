import { gossipMessageId } from '@aleph-ts/protocol'
import type { GossipSub } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { PeerId } from '@libp2p/interface'
import {
  type GossipedMessage,
  isFirstCopy,
  meshPeers,
  passOn,
  peersLacking,
  publishAgain,
  receiveInstead,
  sayHave,
  settle,
} from './gossipsub-internals.ts'
import { isSignedByPublisher } from './publisher-signature.ts'

const noData = new Uint8Array()
/** Peers are told what we have this long after the first message of which they are not told yet, ms. */
const tellAfterMs = 25
/** A message that comes from its publisher is passed on this long after it, ms: our other peers have mostly heard it too, and say so meanwhile. */
const passOnAfterMs = 100
/** The same of a message that somebody else passed on to us. */
const relayAfterMs = 20
/** What is due is passed on together so often, ms. */
const periodMs = 20
/** Ids that other nodes read in one frame are 512; a message of more bytes than this is worth a frame of its own. */
const mostIdsToTell = 400
const largeMessageBytes = 16 * 1024

/**
 * Receives the messages of one topic and passes on those that were found in order. Two things make that cheap. Peers
 * are told what we have, and what they have they are not sent: in a network where all are connected nobody needs to pass
 * anything on. And the publisher's signature, which costs more than everything else gossip does with a message, is
 * checked just before passing on: what a message says is signed by its sender, whoever published it.
 */
export class MessageRelay {
  readonly #pubsub: GossipSub
  readonly #topic: string
  /** Received, and not passed on yet. */
  readonly #underWay = new Map<string, GossipedMessage>()
  readonly #untold: GossipedMessage[] = []
  readonly #waiting: { message: GossipedMessage; dueMs: number }[] = []
  #telling: NodeJS.Timeout | undefined
  #passing: NodeJS.Timeout | undefined

  constructor(pubsub: GossipSub, topic: string) {
    this.#pubsub = pubsub
    this.#topic = topic
  }

  /** From now on `listener` gets the first copy of each message, and has to {@link accept} or {@link refuse} it. */
  start(listener: (message: GossipedMessage) => void): void {
    receiveInstead(this.#pubsub, this.#topic, (from, raw) => {
      const message = this.#receive(from, raw)
      if (message) listener(message)
    })
  }

  stop(): void {
    clearTimeout(this.#telling)
    clearTimeout(this.#passing)
    this.#underWay.clear()
  }

  /** Lets a message be passed on to peers that lack it. */
  accept(message: GossipedMessage): void {
    settle(this.#pubsub, message, 'accept')
    this.#untold.push(message)
    if (message.data.length >= largeMessageBytes || this.#untold.length >= mostIdsToTell) this.#tell()
    else this.#telling ??= setTimeout(() => this.#tell(), tellAfterMs)
    const delayMs = message.isFromPublisher ? passOnAfterMs : relayAfterMs
    this.#waiting.push({ message, dueMs: performance.now() + delayMs })
    this.#passing ??= setTimeout(() => this.#passOnDue(), periodMs)
  }

  /** Keeps a message from being passed on; `reject` also counts against who handed it over. */
  refuse(message: GossipedMessage, verdict: 'reject' | 'ignore'): void {
    settle(this.#pubsub, message, verdict)
    this.#underWay.delete(message.id)
  }

  #receive(from: PeerId, raw: RPC.Message): GossipedMessage | undefined {
    const data = raw.data ?? noData
    const id = Buffer.from(gossipMessageId(data)).toString('latin1')
    const source = from.toString()
    if (!isFirstCopy(this.#pubsub, id, source, this.#topic)) {
      this.#underWay.get(id)?.holders.add(source)
      return undefined
    }
    const isFromPublisher = raw.from !== undefined && from.equals(raw.from)
    const message = { id, source, isFromPublisher, data, raw, holders: new Set([source]) }
    this.#underWay.set(id, message)
    return message
  }

  #tell(): void {
    clearTimeout(this.#telling)
    this.#telling = undefined
    const messages = this.#untold.splice(0)
    for (const peer of meshPeers(this.#pubsub, this.#topic)) {
      const ids = messages.filter(({ holders }) => !holders.has(peer)).map(({ id }) => id)
      if (ids.length > 0) sayHave(this.#pubsub, peer, ids)
    }
  }

  #passOnDue(): void {
    const nowMs = performance.now()
    const later = this.#waiting.filter(({ dueMs }) => dueMs > nowMs)
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs)
    this.#waiting.splice(0, this.#waiting.length, ...later)
    this.#passing = later.length > 0 ? setTimeout(() => this.#passOnDue(), periodMs) : undefined
    for (const { message } of due) {
      this.#underWay.delete(message.id)
      if (peersLacking(this.#pubsub, message).length > 0) void this.#passOn(message)
    }
  }

  async #passOn(message: GossipedMessage): Promise<void> {
    if (await isSignedByPublisher(message.raw)) {
      passOn(this.#pubsub, message)
      return
    }
    // The message is in order, only who published it is a lie: it is spread under our name, or whoever is first could stop it.
    settle(this.#pubsub, message, 'reject')
    await publishAgain(this.#pubsub, message).catch(() => {})
  }
}
