import { expect, test } from 'vitest'
import { GroupCommit } from './group-commit.ts'

test('calls that come together are written together, each with its own result', async () => {
  const groups: number[][] = []
  const writer = new GroupCommit(async (items: number[]) => {
    groups.push(items)
    return items.map((item) => item * 2)
  }, 3)
  const results = await Promise.all([1, 2, 3, 4, 5].map((item) => writer.add(item)))
  expect(results).toEqual([2, 4, 6, 8, 10])
  expect(groups).toEqual([
    [1, 2, 3],
    [4, 5],
  ])
})

test('a failed write fails its own group only', async () => {
  const writer = new GroupCommit(async (items: number[]) => {
    if (items.includes(1)) throw new Error('disk full')
    return items
  }, 2)
  const results = await Promise.allSettled([1, 2, 3].map((item) => writer.add(item)))
  expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  expect(await writer.add(4)).toBe(4)
})

test('what nobody waits for goes with the next write that is needed', async () => {
  const groups: string[][] = []
  const writer = new GroupCommit(async (items: string[]) => {
    groups.push(items)
    return items
  }, 10)
  const patient = [writer.add('patient', 60_000), writer.add('patient too', 60_000)]
  await writer.add('urgent')
  await Promise.all(patient)
  expect(groups).toEqual([['patient', 'patient too', 'urgent']])
})

test('what nobody waits for is written when its time is up', async () => {
  const writer = new GroupCommit(async (items: string[]) => items, 10)
  expect(await Promise.all([writer.add('a', 5), writer.add('b', 5)])).toEqual(['a', 'b'])
})

test('a full group does not wait', async () => {
  const writer = new GroupCommit(async (items: number[]) => items, 2)
  expect(await Promise.all([writer.add(1, 60_000), writer.add(2, 60_000)])).toEqual([1, 2])
})
