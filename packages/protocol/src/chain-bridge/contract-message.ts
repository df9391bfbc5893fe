import { itemHash } from '../hash/item-hash.ts'
import type { Chain } from '../message/chains.ts'

/** What a contract or an account said through `doMessage`. */
export interface ContractMessage {
  chain: Chain
  /** Who called: the message's sender. */
  sender: string
  /** Time of the event, epoch seconds. */
  time: number
  type: string
  content: string
}

/**
 * The message that a contract wrote (protocol 04 §18.1), unread and without signature: the chain vouches for its
 * sender. Type `STORE_IPFS` with a CID becomes a STORE of that file.
 */
export function contractEnvelope(message: ContractMessage): Record<string, unknown> {
  const isStoreIpfs = message.type === 'STORE_IPFS'
  const content = isStoreIpfs ? storeIpfsContent(message) : message.content
  return {
    sender: message.sender,
    chain: message.chain,
    signature: null,
    type: isStoreIpfs ? 'STORE' : message.type,
    item_type: 'inline',
    item_hash: itemHash(content),
    item_content: content,
    time: message.time,
    channel: null,
  }
}

/** Its bytes are hashed, so every node writes them alike: as Python's `json.dumps` does, the time as a float. */
function storeIpfsContent({ sender, time, content }: ContractMessage): string {
  const seconds = Number.isInteger(time) ? `${time}.0` : String(time)
  return `{"address": ${asciiJson(sender)}, "time": ${seconds}, "item_type": "ipfs", "item_hash": ${asciiJson(content)}}`
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
