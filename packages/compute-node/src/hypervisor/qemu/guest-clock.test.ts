import { expect, test } from 'vitest'
import { hostCounterKhz } from './guest-clock.ts'

test('the nominal frequency in the name of a processor is that of its counter', () => {
  const cpuinfo = 'model name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\ncpu MHz\t\t: 800.024\n'
  expect(hostCounterKhz(cpuinfo)).toBe(2_200_000)
})

test('a processor whose name says nothing counts at its frequency', () => {
  expect(hostCounterKhz('model name\t: AMD EPYC\ncpu MHz\t\t: 2596.144\n')).toBe(2_596_144)
})
