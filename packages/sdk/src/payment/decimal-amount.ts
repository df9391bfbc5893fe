import { AlephError } from '../errors.ts'

const decimals = 18

/** A decimal text as an integer of 10⁻¹⁸ units, so that amounts are compared and added exactly. */
export function parseAmount(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text)
  if (!match) throw new AlephError('invalid_argument', `Not a decimal amount: ${JSON.stringify(text)}`)
  const [, sign, whole, fraction = ''] = match
  const units = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, '0'))
  return sign === '-' ? -units : units
}

/** The decimal text of an amount, without needless zeros. */
export function formatAmount(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, '0')
  const fraction = digits.slice(-decimals).replace(/0+$/, '')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -decimals)}${fraction === '' ? '' : `.${fraction}`}`
}

/** A JSON number of a node as a plain decimal text (no exponent). */
export function amountOfNumber(value: number): string {
  const text = String(value)
  if (!text.includes('e')) return formatAmount(parseAmount(text))
  return Number.isInteger(value)
    ? BigInt(value).toString()
    : formatAmount(parseAmount(value.toFixed(decimals)))
}
