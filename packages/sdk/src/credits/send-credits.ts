import { creditPostTypes, mainnetProfile } from '@aleph-ts/protocol'
import { AlephError } from '../errors.ts'
import type { BuiltMessage, MessageOptions } from '../message/build-message.ts'
import { buildPost } from '../message/build-post.ts'

/** Channel of credit posts in every network so far (protocol 06 §1). */
const creditChannel = mainnetProfile.channels.credits[0]!

export interface CreditGift {
  address: string
  /** Whole credits. */
  amount: number
  /** Until when they can be spent; never longer than those they are taken from. */
  expiration?: Date
}

/**
 * Gives credits of the account to others (protocol 02 §14.4). The network refuses it when there are not enough.
 *
 * @example
 * await client.sendCredits([{ address: '0x…', amount: 1_000_000 }])
 * @throws {AlephError} `invalid_argument` for an amount that is no whole number above zero
 */
export function buildCreditTransfer(gifts: CreditGift[], options: MessageOptions): BuiltMessage<'POST'> {
  const credits = gifts.map(({ address, amount, expiration }) => {
    if (!Number.isSafeInteger(amount) || amount <= 0) {
      throw new AlephError('invalid_argument', `amount: give whole credits above zero, not ${amount}`)
    }
    return { address, amount, ...(expiration ? { expiration: expiration.getTime() } : {}) }
  })
  const content = { transfer: { credits } }
  return buildPost({ postType: creditPostTypes.transfer, content }, { ...options, channel: creditChannel })
}
