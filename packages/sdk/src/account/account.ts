import type { Chain, SignedFields } from '@aleph-ts/protocol'

/** Somebody who can sign: a key in memory, a browser wallet, or your own implementation. */
export interface Account {
  readonly chain: Chain
  /** The address as it goes into messages (EVM: with the EIP-55 checksum). */
  readonly address: string
  /** Signs the four values that stand for a message (protocol 01 §1.2); the result goes into its `signature` field as it is. */
  signMessage(fields: SignedFields): Promise<string>
  /**
   * Signs the payload of an operator session (protocol 05 §4.1): `payload` are the raw bytes of the
   * JSON text. Returns hex with 0x. Compute nodes take Ethereum and Solana accounts only: others reject.
   */
  signOperatorPayload(payload: Uint8Array): Promise<string>
}
