import type { Chain, PaymentType } from '@aleph-ts/protocol'

/**
 * The `payment` object of a content (protocol 01 §6.12). `hold`: tokens stay with you while it runs;
 * `credit`: prepaid; `superfluid`: a stream per second.
 */
export function paymentOf<T extends PaymentType>(
  type: T,
  chain: Chain,
  receiver?: string,
): { type: T; chain: Chain; receiver?: string } {
  return receiver === undefined ? { type, chain } : { type, chain, receiver }
}
