import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amountOfNumber, formatAmount, parseAmount } from './decimal-amount.ts'

it('keeps amounts exact to eighteen digits', () => {
  expect(formatAmount(parseAmount('0.1') + parseAmount('0.2'))).toBe('0.3')
  expect(formatAmount(parseAmount('-1.50'))).toBe('-1.5')
  expect(formatAmount(1n)).toBe('0.000000000000000001')
  expect(() => parseAmount('1e5')).toThrowError(/decimal/)
})

it('reads back every amount it writes', () => {
  fc.assert(fc.property(fc.bigInt(), (units) => parseAmount(formatAmount(units)) === units))
})

it('writes numbers of nodes without an exponent', () => {
  expect(amountOfNumber(1e-7)).toBe('0.0000001')
  expect(amountOfNumber(2000.1)).toBe('2000.1')
  expect(amountOfNumber(1e21)).toBe('1000000000000000000000')
})
