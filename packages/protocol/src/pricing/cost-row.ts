import type { PaymentType } from '../profile/network-profile.ts'
import { Amount, cut, formatAmount, zero } from './decimal.ts'
import type { Rate } from './rates.ts'

/** What a row of a bill is for (protocol 02 §13.6); `INMUTABLE` is how the network spells it. */
export type CostType =
  | 'STORAGE'
  | 'EXECUTION'
  | 'EXECUTION_INSTANCE_VOLUME_ROOTFS'
  | 'EXECUTION_PROGRAM_VOLUME_CODE'
  | 'EXECUTION_PROGRAM_VOLUME_RUNTIME'
  | 'EXECUTION_PROGRAM_VOLUME_DATA'
  | 'EXECUTION_VOLUME_INMUTABLE'
  | 'EXECUTION_VOLUME_PERSISTENT'
  | 'EXECUTION_VOLUME_DISCOUNT'

/**
 * One row of a message's bill. All three costs are filled in; the one of `payment_type` counts. Decimal strings with
 * 18 decimals: ALEPH to hold, ALEPH per second, credits per second.
 */
export interface CostRow {
  type: CostType
  name: string
  ref: string | null
  payment_type: PaymentType
  cost_hold: string
  cost_stream: string
  cost_credit: string
}

export interface RowLabel {
  type: CostType
  name: string
  ref: string | null
}

/** One credit an hour, the least that a billed thing costs. */
const minimumCredit = cut(new Amount(1).div(3600))

/** The bill of one message while it is being written. */
export interface Bill {
  paymentType: PaymentType
  rows: { label: RowLabel; cost: Rate }[]
}

/** Adds a row of so many units at a rate. `minimum` lifts the credit cost to one credit an hour if paid so. */
export function charge(bill: Bill, label: RowLabel, units: Amount, rate: Rate, minimum: boolean): void {
  const credit = cut(units.mul(rate.credit))
  const lifted = minimum && bill.paymentType === 'credit' ? Amount.max(credit, minimumCredit) : credit
  const cost = { hold: cut(units.mul(rate.hold)), stream: cut(units.mul(rate.stream)), credit: lifted }
  bill.rows.push({ label, cost })
}

/**
 * Takes back the cost of the disk that compute units include. Being negative, the amounts are cut away from zero.
 */
export function discount(bill: Bill, includedMib: Amount, rate: Rate): void {
  const volumes = bill.rows.filter(({ label }) => label.type !== 'EXECUTION')
  const back = (column: keyof Rate) => {
    const spent = volumes.reduce((sum, { cost }) => sum.add(cost[column]), zero)
    return cut(Amount.min(spent, includedMib.mul(rate[column])).neg())
  }
  const label = { type: 'EXECUTION_VOLUME_DISCOUNT', name: 'EXECUTION_VOLUME_DISCOUNT', ref: null } as const
  bill.rows.push({ label, cost: { hold: back('hold'), stream: back('stream'), credit: back('credit') } })
}

/** The finished rows of a bill. */
export function costRows(bill: Bill): CostRow[] {
  return bill.rows.map(({ label, cost }) => ({
    ...label,
    payment_type: bill.paymentType,
    cost_hold: formatAmount(cost.hold),
    cost_stream: formatAmount(cost.stream),
    cost_credit: formatAmount(cost.credit),
  }))
}

const columns = { hold: 'cost_hold', superfluid: 'cost_stream', credit: 'cost_credit' } as const

/**
 * What rows cost together under one way of paying: ALEPH to hold, ALEPH per second (superfluid) or credits per
 * second, as a decimal string with 18 decimals.
 */
export function totalCost(rows: readonly CostRow[], paymentType: PaymentType): string {
  const column = columns[paymentType]
  return formatAmount(cut(rows.reduce((sum, row) => sum.add(row[column]), zero)))
}
