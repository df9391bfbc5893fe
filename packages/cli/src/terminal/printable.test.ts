import { expect, it } from 'vitest'
import { printable, shownAmount, shownTime } from './printable.ts'

it('never lets text from the network steer the terminal', () => {
  expect(printable('evil\u001b[2J\u0007name\nsecond line')).toBe('evil name second line')
  expect(printable('\u202Ereversed')).toBe(' reversed')
  expect(printable('x'.repeat(100), 10)).toBe('xxxxxxxxx…')
})

it('shows amounts short, and never larger than they are', () => {
  expect(shownAmount('99799.9997472763064')).toBe('99799.999747')
  expect(shownAmount('0.000000999')).toBe('0')
  expect(shownAmount('200.000000000000000000')).toBe('200')
  expect(shownAmount('7')).toBe('7')
})

it('shows times of either form alike', () => {
  expect(shownTime(1_767_225_600.5)).toBe('2026-01-01 00:00:00')
  expect(shownTime('2026-01-01T00:00:00Z')).toBe('2026-01-01 00:00:00')
  expect(shownTime(null)).toBe('')
  expect(shownTime('nonsense')).toBe('')
})
