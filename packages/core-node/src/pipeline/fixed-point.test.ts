import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromUnits, toUnits } from './fixed-point.ts'

test('amounts keep all 18 decimals', () => {
  expect(toUnits('1.000000000000000001')).toBe(1_000_000_000_000_000_001n)
  expect(fromUnits(-5n * 10n ** 17n)).toBe('-0.5')
  expect(fromUnits(toUnits('200'))).toBe('200')
  expect(() => toUnits('1e5')).toThrow('Not a plain decimal number')
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
      (units) => toUnits(fromUnits(units)) === units,
    ),
  )
})
