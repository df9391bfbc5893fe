import { gossipMessageId } from '@aleph-ts/protocol'
import type { GossipSub } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { PeerId } from '@libp2p/interface'
import {
  blame,
  type GossipedMessage,
  isFirstCopy,
  passOn,
  peersLacking,
  publishAgain,
  receiveInstead,
  sayHave,
  settle,
} from './gossipsub-internals.ts'
import { Paced } from './paced.ts'
import { isSignedByPublisher } from './publisher-signature.ts'

const noData = new Uint8Array()
/**
 * Messages are passed on so far apart, ms: those of a steady stream share frames, of which each costs more than the
 * messages in it, and peers that have sent a copy meanwhile get none back.
 */
const pauseMs = 25
/** Telling others not to send a copy costs more than the copy of a smaller message. */
const largeMessageBytes = 16 * 1024

/**
 * Receives the messages of one topic and passes on those that were found in order. The signature of a message's publisher
 * is checked only when somebody lacks the message: it costs more than all else that gossip does with it, and says nothing
 * about what the message says, which its sender has signed.
 */
export class MessageRelay {
  readonly #pubsub: GossipSub
  readonly #topic: string
  /** Received, and not passed on yet. */
  readonly #underWay = new Map<string, GossipedMessage>()
  readonly #passOnSoon = new Paced(() => this.#passOn(), pauseMs)
  #accepted: GossipedMessage[] = []

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
    this.#passOnSoon.stop()
  }

  /** Lets a message be passed on to peers that lack it. */
  accept(message: GossipedMessage): void {
    settle(this.#pubsub, message, 'accept')
    this.#accepted.push(message)
    this.#passOnSoon.ask()
  }

  /** Forgets a message that could not be judged. */
  abandon({ id }: GossipedMessage): void {
    this.#underWay.delete(id)
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
    const message = { id, source, data, raw, holders: new Set([source]) }
    this.#underWay.set(id, message)
    if (data.length >= largeMessageBytes) sayHave(this.#pubsub, message)
    return message
  }

  #passOn(): void {
    for (const message of this.#accepted.splice(0)) {
      this.#underWay.delete(message.id)
      if (peersLacking(this.#pubsub, message).length > 0) void this.#passOnChecked(message)
    }
  }

  async #passOnChecked(message: GossipedMessage): Promise<void> {
    if (await isSignedByPublisher(message.raw)) {
      passOn(this.#pubsub, message)
      return
    }
    // The message is in order and only its publisher is a lie: it is spread under our name, or else whoever is the first
    // to send it with a false one could keep it from spreading.
    blame(this.#pubsub, message)
    await publishAgain(this.#pubsub, message).catch(() => {})
  }
}
