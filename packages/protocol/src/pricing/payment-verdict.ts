import type { NetworkProfile, PaymentType } from '../profile/network-profile.ts'
import { paymentTypeOf } from './compute-cost.ts'
import type { CostableMessage } from './costable.ts'

/**
 * - `free`: accept without looking at a balance
 * - `check`: the balance must cover it ({@link balanceShortfall})
 * - `unchecked`: paid by a stream, which is not the core nodes' to check
 * - `refused`: this network no longer takes this way of paying (INVALID_PAYMENT_METHOD)
 */
export type PaymentVerdict = 'free' | 'check' | 'unchecked' | 'refused'

/** When the network first saw a message (protocol 02 §7): never the sender's own word. */
export interface ObservedTime {
  /** Epoch seconds of the first confirmation on chain, else of reception. */
  time: number
  /** Ethereum height of the first confirmation, if there is one. */
  ethHeight?: number
}

/** How a message has to pay on this network at this time (protocol 02 §13.7). */
export function paymentVerdict(
  message: CostableMessage & { storedFileSize?: number },
  observed: ObservedTime,
  profile: NetworkProfile,
): PaymentVerdict {
  const { type } = message
  if (type === 'POST' || type === 'AGGREGATE' || type === 'FORGET') return 'free'
  const payment = paymentTypeOf(type, message.content)
  const product = paymentProduct(message)
  const mayBeFree = product === 'store' || product === 'program'
  if (mayBeFree && isBeforeFirstPrices(observed, profile)) return 'free'
  if (!acceptedPayments(product, observed, profile).includes(payment)) return 'refused'
  if (payment === 'superfluid') return 'unchecked'
  if (type === 'STORE' && payment === 'hold' && isSmallFile(message.storedFileSize, profile)) return 'free'
  return 'check'
}

type PaymentProduct = keyof NetworkProfile['paymentTypes']

function paymentProduct(message: CostableMessage): PaymentProduct {
  if (message.type === 'STORE') return 'store'
  if (message.type === 'PROGRAM') return message.content.on.persistent ? 'persistentProgram' : 'program'
  return message.type === 'V-PROGRAM' ? 'vProgram' : 'instance'
}

function acceptedPayments(
  product: PaymentProduct,
  observed: ObservedTime,
  profile: NetworkProfile,
): PaymentType[] {
  const { holdAndStreamUntil, creditOnlyFrom } = profile.cutoffs
  const longRunning = product === 'instance' || product === 'persistentProgram'
  const creditOnly =
    (creditOnlyFrom !== null && observed.time >= creditOnlyFrom) ||
    (longRunning && holdAndStreamUntil !== null && observed.time >= holdAndStreamUntil)
  const accepted = profile.paymentTypes[product]
  return creditOnly ? accepted.filter((payment) => payment === 'credit') : accepted
}

function isBeforeFirstPrices(observed: ObservedTime, profile: NetworkProfile): boolean {
  const cutoff = profile.cutoffs.freeStoreAndProgramUntil
  if (cutoff === null) return false
  return observed.ethHeight === undefined
    ? observed.time < cutoff.time
    : observed.ethHeight < cutoff.ethHeight
}

function isSmallFile(size: number | undefined, profile: NetworkProfile): boolean {
  return size !== undefined && size > 0 && size <= profile.limits.freeFileBytes
}
