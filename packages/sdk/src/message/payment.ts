import type { Chain } from '@aleph-ts/protocol'

/** `hold`: tokens stay with you while it runs; `credit`: prepaid; `superfluid`: a stream per second. */
export type PaymentType = 'hold' | 'superfluid' | 'credit'

/** The `payment` object of a content (protocol 01 §6.12). */
export function paymentOf<T extends PaymentType>(
  type: T,
  chain: Chain,
  receiver?: string,
): { type: T; chain: Chain; receiver?: string } {
  return receiver === undefined ? { type, chain } : { type, chain, receiver }
}
