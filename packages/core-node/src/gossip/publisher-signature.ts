import { publicKeyFromProtobuf } from '@libp2p/crypto/keys'
import { RPC } from '@libp2p/gossipsub/message'
import type { PublicKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { base58 } from '@scure/base'

const signedPrefix = new TextEncoder().encode('libp2p-pubsub:')
const sequenceNumberBytes = 8
/** Publishers are the nodes of the network; whoever makes up many makes us read keys again, no more. */
const mostPublishers = 1_000
const publishers = new Map<string, PublicKey>()

/** Whether the peer that a gossip message names as its publisher has signed it, as gossipsub's StrictSign demands. */
export async function isSignedByPublisher(message: RPC.Message): Promise<boolean> {
  const { from, data, seqno, topic, signature } = message
  if (seqno?.length !== sequenceNumberBytes || !signature) return false
  try {
    const signed = RPC.Message.encode({ from, data, seqno, topic })
    const publisher = publisherKey(message)
    return (
      publisher !== undefined && (await publisher.verify(Buffer.concat([signedPrefix, signed]), signature))
    )
  } catch {
    // Keys and signatures that cannot even be read.
    return false
  }
}

/** The key that the publisher's id holds or, as those of RSA keys do not, that comes with the message. */
function publisherKey({ from, key }: RPC.Message): PublicKey | undefined {
  if (!from) return undefined
  const id = Buffer.from(from).toString('latin1')
  const known = publishers.get(id)
  if (known) return known
  const publisher = peerIdFromString(base58.encode(from))
  const given = key ? publicKeyFromProtobuf(key) : publisher.publicKey
  if (!given || !publisher.equals(given.toMultihash().bytes)) return undefined
  if (publishers.size >= mostPublishers) publishers.clear()
  publishers.set(id, given)
  return given
}
