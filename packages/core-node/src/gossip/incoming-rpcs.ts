import type { GossipSub } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { scoreOf } from './gossipsub-internals.ts'
import type { PeerConduct } from './peer-conduct.ts'
import { graylistScore } from './peer-scoring.ts'

interface Rpc {
  messages: unknown[]
}
interface RpcReceiver {
  handleReceivedRpc(from: PeerId, rpc: Rpc): Promise<void>
}

/**
 * Drops what comes from peers that have forfeited their say, before anything of it is looked at: the signature of a
 * publisher alone costs more than all the rest. gossipsub by itself goes on listening to a peer of good name for a second
 * or 128 frames, which is 12,800 messages.
 */
export function refuseExcess(pubsub: GossipSub, conduct: PeerConduct): void {
  const receiver = pubsub as unknown as RpcReceiver
  const handle = receiver.handleReceivedRpc.bind(receiver)

  receiver.handleReceivedRpc = async (from, rpc) => {
    const peerId = from.toString()
    if (scoreOf(pubsub, peerId) < graylistScore) return
    const admitted = conduct.admitFrame(peerId, rpc.messages.length)
    await handle(from, { ...rpc, messages: rpc.messages.slice(0, admitted) })
  }
}
