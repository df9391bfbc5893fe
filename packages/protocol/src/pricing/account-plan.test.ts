import { expect, it } from 'vitest'
import { affordable } from './account-plan.ts'

it('keeps the oldest resources that the balance carries, and lets nothing newer jump the queue', () => {
  expect(affordable('10', ['4', '4', '4', '1'])).toEqual([true, true, false, false])
  expect(affordable('9', ['4', '4', '1'])).toEqual([true, true, true])
  expect(affordable('0', ['0', '0.1'])).toEqual([true, false])
})
