import { ProtocolError } from '../errors/protocol-error.ts'
import { Amount, formatAmount } from './decimal.ts'

export interface BalanceQuestion {
  paymentType: 'hold' | 'credit'
  /** Total of all the owner's other messages paid the same way, as {@link totalCost} gives it. */
  existingCost: string
  /** Total of this message. */
  messageCost: string
  /** ALEPH held on all chains together, or credits, as a decimal string. */
  balance: string
}

const secondsPerDay = 86_400

/**
 * Whether an owner can pay for one more message (protocol 02 §13.7): hold as much ALEPH as everything costs, or own
 * the credits that everything uses in a day. Superfluid streams are not checked here.
 *
 * @returns null when it can, else the error to refuse the message with.
 */
export function balanceShortfall(question: BalanceQuestion): ProtocolError | null {
  const { paymentType, balance } = question
  const cost = new Amount(question.existingCost).add(question.messageCost)
  if (paymentType === 'credit') {
    const required = cost.mul(secondsPerDay)
    if (required.lte(balance)) return null
    return new ProtocolError('CREDIT_INSUFFICIENT', {
      message: `insufficient credit: one day costs ${formatAmount(required)} credits, the account has ${balance}`,
      errors: [{ required_credits: formatAmount(required), account_credits: balance, min_runtime_days: 1 }],
    })
  }
  if (cost.lte(balance)) return null
  return new ProtocolError('BALANCE_INSUFFICIENT', {
    message: `insufficient balance: ${formatAmount(cost)} ALEPH must be held, the account has ${balance}`,
    errors: [{ required_balance: formatAmount(cost), account_balance: balance }],
  })
}
