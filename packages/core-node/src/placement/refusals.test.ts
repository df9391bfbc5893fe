import { expect, test } from 'vitest'
import { Refusals } from './refusals.ts'

const minute = 60_000

test('a node that has no room is not asked again for half an hour, one that never will is not asked again', () => {
  let now = 0
  const refusals = new Refusals({ now: () => now })
  expect(refusals.add('vm', 'full', 'insufficient_capacity')).toBe(true)
  expect(refusals.add('vm', 'other', 'node_mismatch')).toBe(true)
  expect(refusals.add('vm', 'slow', 'download_failed')).toBe(false)
  const all = () => ['full', 'other', 'slow'].map((node) => refusals.of('vm', node))
  expect(all()).toEqual(['insufficient_capacity', 'node_mismatch', null])
  expect(refusals.of('another vm', 'full')).toBeNull()
  now = 30 * minute
  expect(all()).toEqual([null, 'node_mismatch', null])
})

test('a node that refuses three VMs within an hour gets nothing new in that hour; the same VM counts once', () => {
  let now = 0
  const refusals = new Refusals({ now: () => now })
  for (const vm of ['a', 'a', 'b']) refusals.add(vm, 'node', 'insufficient_capacity')
  expect(refusals.isTiresome('node')).toBe(false)
  now = 50 * minute
  refusals.add('c', 'node', 'gpu_unavailable')
  expect([refusals.isTiresome('node'), refusals.isTiresome('other')]).toEqual([true, false])
  now = 61 * minute
  expect(refusals.isTiresome('node')).toBe(false)
})

test('what is no VM any more is forgotten', () => {
  const refusals = new Refusals()
  refusals.add('vm', 'node', 'unsupported')
  refusals.keep(new Set(['vm']))
  expect(refusals.of('vm', 'node')).toBe('unsupported')
  refusals.keep(new Set())
  expect(refusals.of('vm', 'node')).toBeNull()
})
