import type { Chain } from '../message/chains.ts'
import type { MessageType } from '../message/envelope.ts'

/** The four fields of a message that its signature covers (protocol 01 §1.2). */
export interface SignedFields {
  chain: Chain
  sender: string
  type: MessageType
  item_hash: string
  /** Seconds; covered by the Micheline signatures of Tezos only (protocol 01 §4.9). */
  time?: number
}

const utf8 = new TextEncoder()

/** The text that is signed, as bytes: `chain\nsender\ntype\nitem_hash` (protocol 01 §4.2). */
export function verificationBuffer(message: SignedFields): Uint8Array {
  return utf8.encode(`${message.chain}\n${message.sender}\n${message.type}\n${message.item_hash}`)
}
