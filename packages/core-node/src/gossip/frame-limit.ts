import type { GossipSub } from '@libp2p/gossipsub'
import { maxFrameBytes, maxMessagesPerFrame } from './payload.ts'

interface RpcMessage {
  data?: Uint8Array | null
  key?: Uint8Array | null
}
interface Rpc {
  messages?: RpcMessage[]
}
interface FrameSender {
  sendRpc(peer: string, rpc: Rpc): boolean
}

/** Signature, sender, sequence number, topic and field tags of one message; an RSA key comes on top. */
const messageOverheadBytes = 640

/**
 * Keeps every outgoing RPC within what other nodes read: 262,144 bytes and 100 messages (protocol 04 §2.2).
 *
 * gossipsub answers an IWANT with all wanted messages in one frame, and has no setting for its size; a longer frame
 * makes the receiver drop the stream and with it our gossip. So such an RPC is sent in parts.
 */
export function limitOutgoingFrames(pubsub: GossipSub): void {
  const sender = pubsub as unknown as FrameSender
  const sendFrame = sender.sendRpc.bind(sender)
  sender.sendRpc = (peer, rpc) => {
    const [first, ...rest] = splitMessages(rpc.messages ?? [])
    let sent = sendFrame(peer, first ? { ...rpc, messages: first } : rpc)
    for (const messages of rest) sent = sendFrame(peer, { messages }) && sent
    return sent
  }
}

/** Groups messages so that each group fits one frame, in their order. */
export function splitMessages<T extends RpcMessage>(messages: T[]): T[][] {
  const groups: T[][] = []
  let bytes = 0
  for (const message of messages) {
    const size = (message.data?.length ?? 0) + (message.key?.length ?? 0) + messageOverheadBytes
    const group = groups.at(-1)
    if (group && group.length < maxMessagesPerFrame && bytes + size <= maxFrameBytes) {
      group.push(message)
      bytes += size
    } else {
      groups.push([message])
      bytes = size
    }
  }
  return groups
}
