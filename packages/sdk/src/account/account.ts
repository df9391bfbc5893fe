import type { Chain, MessageType } from '@aleph-ts/protocol'

/** The four values a message signature covers (protocol 01 §1.2). */
export interface SignatureSubject {
  chain: Chain
  sender: string
  type: MessageType
  item_hash: string
}

/** Somebody who can sign: a key in memory, a browser wallet, or your own implementation. */
export interface Account {
  readonly chain: Chain
  /** The address as it goes into messages (EVM: with the EIP-55 checksum). */
  readonly address: string
  /** Signs an envelope; the result goes into its `signature` field as it is. */
  signMessage(subject: SignatureSubject): Promise<string>
  /**
   * Signs the payload of an operator session (protocol 05 §4.1): `payload` are the raw bytes of the
   * JSON text. Returns hex with 0x.
   */
  signOperatorPayload(payload: Uint8Array): Promise<string>
}
