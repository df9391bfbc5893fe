import { Decimal } from 'decimal.js'

/**
 * The arithmetic of prices (protocol 02 §13.5): 28 significant digits, half to even, for every step. Amounts are
 * decimal strings everywhere outside this folder.
 */
export const Amount = Decimal.clone({
  precision: 28,
  rounding: Decimal.ROUND_HALF_EVEN,
  toExpNeg: -100,
  toExpPos: 100,
})
export type Amount = Decimal

export const zero = new Amount(0)

const decimals = 18

/** Cuts to 18 decimals towards minus infinity, as every stored cost and total is. */
export function cut(amount: Amount): Amount {
  return amount.toDecimalPlaces(decimals, Decimal.ROUND_FLOOR)
}

/** Plain digits with exactly 18 decimals; zero has no sign. */
export function formatAmount(amount: Amount): string {
  return (amount.isZero() ? zero : amount).toFixed(decimals, Decimal.ROUND_FLOOR)
}
