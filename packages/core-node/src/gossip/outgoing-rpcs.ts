import type { GossipSub } from '@libp2p/gossipsub'
import { hasOutboundStreamTo } from './gossipsub-internals.ts'
import { maxFrameBytes, maxMessagesPerFrame } from './payload.ts'

interface RpcMessage {
  data?: Uint8Array | null
  key?: Uint8Array | null
}
interface ControlEntry {
  topicID?: string
  messageIDs?: Uint8Array[]
}
/** Lists of IHAVE, IWANT, GRAFT, PRUNE and IDONTWANT. */
type Control = Record<string, ControlEntry[]>
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

/** A message id in a control list: at most 20 digits, and a field tag. */
const idBytes = 22
/** A topic in a subscription or a control list, with its tags. */
const topicBytes = 128
/** Ids of one frame, which takes twice as much. */
const maxIdsPerFrame = 5_000

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

/** Groups what there is for a peer into frames that it reads, in order. */
export function splitRpc(rpc: Rpc): Rpc[] {
  const [first, ...others] = splitControl(rpc.control ?? {})
  const subscriptions = rpc.subscriptions
  const reserved = controlBytes(first!) + subscriptions.length * topicBytes
  const [messages = [], ...rest] = splitMessages(rpc.messages, reserved)
  return [
    { subscriptions, messages, control: rpc.control && first },
    ...others.map((control) => ({ subscriptions: [], messages: [], control })),
    ...rest.map((messages) => ({ subscriptions: [], messages })),
  ]
}

/**
 * Groups messages so that each group fits one frame, in their order.
 *
 * @param reserved bytes of the first frame that something else takes
 */
function splitMessages<T extends RpcMessage>(messages: T[], reserved: number): T[][] {
  const groups: T[][] = reserved > 0 ? [[]] : []
  let bytes = reserved
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

/** Groups what control lists say so that each group fits one frame; there is always a first one. */
function splitControl(control: Control): Control[] {
  const groups: Control[] = [{}]
  let ids = 0
  for (const [kind, entries] of Object.entries(control)) {
    for (const entry of entries.flatMap(splitEntry)) {
      const count = entry.messageIDs?.length ?? 0
      if (ids + count > maxIdsPerFrame) {
        groups.push({})
        ids = 0
      }
      ids += count
      const group = groups.at(-1)!
      group[kind] = [...(group[kind] ?? []), entry]
    }
  }
  return groups
}

function splitEntry(entry: ControlEntry): ControlEntry[] {
  const { messageIDs = [] } = entry
  if (messageIDs.length <= maxIdsPerFrame) return [entry]
  const parts = Math.ceil(messageIDs.length / maxIdsPerFrame)
  return Array.from({ length: parts }, (_, part) => ({
    ...entry,
    messageIDs: messageIDs.slice(part * maxIdsPerFrame, (part + 1) * maxIdsPerFrame),
  }))
}

/** No less than what it takes in a frame. */
function controlBytes(control: Control): number {
  const entries = Object.values(control).flat()
  const ids = entries.reduce((sum, { messageIDs }) => sum + (messageIDs?.length ?? 0), 0)
  return ids * idBytes + entries.length * topicBytes
}
