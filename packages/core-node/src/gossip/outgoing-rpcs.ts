import type { GossipSub } from '@libp2p/gossipsub'
import { hasOutboundStreamTo } from './gossipsub-internals.ts'
import { maxFrameBytes, maxMessagesPerFrame } from './payload.ts'

interface RpcMessage {
  data?: Uint8Array | null
  key?: Uint8Array | null
}
/** Lists of IHAVE, IWANT, GRAFT, PRUNE and IDONTWANT. */
type Control = Record<string, unknown[]>
interface Rpc {
  subscriptions: unknown[]
  messages: RpcMessage[]
  control?: Control
}
interface RpcSender {
  sendRpc(peer: string, rpc: Rpc): boolean
  sendRpcInBatch(peers: Set<string>, rpc: Rpc): void
}

/** Signature, sender, sequence number, topic and field tags of one message; an RSA key comes on top. */
const messageOverheadBytes = 640

/**
 * Sends what gossipsub has for a peer in as few frames as possible: everything of one turn of the event loop goes
 * together. gossipsub itself makes a frame of each message, and each costs every layer below on both sides.
 *
 * A frame stays within what other nodes read, 262,144 bytes and 100 messages (protocol 04 §2.2): gossipsub answers an
 * IWANT with all wanted messages at once, and a longer frame makes the receiver drop the stream and with it our gossip.
 */
export function gatherOutgoingRpcs(pubsub: GossipSub): void {
  const sender = pubsub as unknown as RpcSender
  const sendFrame = sender.sendRpc.bind(sender)
  const gathered = new Map<string, Rpc>()

  function flush(): void {
    const rpcs = [...gathered]
    gathered.clear()
    for (const [peer, rpc] of rpcs) {
      for (const frame of splitRpc(rpc)) sendFrame(peer, frame)
    }
  }

  sender.sendRpc = (peer, rpc) => {
    if (!hasOutboundStreamTo(pubsub, peer)) return false
    if (gathered.size === 0) setImmediate(flush)
    const earlier = gathered.get(peer)
    gathered.set(peer, earlier ? joinRpcs(earlier, rpc) : rpc)
    return true
  }
  sender.sendRpcInBatch = (peers, rpc) => {
    for (const peer of peers) if (!sender.sendRpc(peer, rpc)) peers.delete(peer)
  }
}

function joinRpcs(a: Rpc, b: Rpc): Rpc {
  return {
    subscriptions: [...a.subscriptions, ...b.subscriptions],
    messages: [...a.messages, ...b.messages],
    control: a.control && b.control ? joinControls(a.control, b.control) : (a.control ?? b.control),
  }
}

function joinControls(a: Control, b: Control): Control {
  const kinds = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries(Array.from(kinds, (kind) => [kind, [...(a[kind] ?? []), ...(b[kind] ?? [])]]))
}

function splitRpc(rpc: Rpc): Rpc[] {
  const [first = [], ...rest] = splitMessages(rpc.messages)
  return [{ ...rpc, messages: first }, ...rest.map((messages) => ({ subscriptions: [], messages }))]
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
