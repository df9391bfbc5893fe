import type { Envelope } from '@aleph-ts/protocol'
import type { Account } from '../account/account.ts'
import type { BuiltMessage } from './build-message.ts'

/** A built message with its signature: what a node takes. */
export interface SignedMessage extends Pick<BuiltMessage, 'text'> {
  envelope: Envelope
}

/** Asks the account for its signature over the four signed values (protocol 01 §4.2); the time is for Tezos wallets. */
export async function signMessage(message: BuiltMessage, account: Account): Promise<SignedMessage> {
  const { envelope, text } = message
  const signature = await account.signMessage({
    chain: envelope.chain,
    sender: envelope.sender,
    type: envelope.type,
    item_hash: envelope.item_hash,
    time: envelope.time,
  })
  return { envelope: { ...envelope, signature }, text }
}
