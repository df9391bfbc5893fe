import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { SlowCache } from './slow-cache.ts'

it('tells a preliminary value at once, and the right one when it is there', async () => {
  const cache = new SlowCache<string>(() => {})
  const { promise, resolve } = Promise.withResolvers<string>()
  const get = () =>
    cache.get(
      'key',
      () => promise,
      async () => 'about',
    )
  expect(await get()).toBe('about')
  expect(await get()).toBe('about')
  resolve('exactly')
  await expect.poll(get).toBe('exactly')
})

it('waits for a value that nobody can guess, computing it once for all who ask', async () => {
  const cache = new SlowCache<number>(() => {})
  let computed = 0
  const get = () => cache.get('key', async () => ++computed)
  expect(await Promise.all([get(), get()])).toEqual([1, 1])
})

it('computes what nobody waits for one after the other, and goes on when one fails', async () => {
  const failures: unknown[] = []
  const cache = new SlowCache<number>((error) => failures.push(error))
  let running = 0
  let most = 0
  const get = (key: number) => {
    const compute = async () => {
      most = Math.max(most, ++running)
      await sleep(2)
      running -= 1
      if (key === 2) throw new Error('no')
      return key
    }
    return cache.get(String(key), compute, async () => -1)
  }
  for (const key of [1, 2, 3, 4]) expect(await get(key)).toBe(-1)
  await expect.poll(() => get(4)).toBe(4)
  expect(most).toBe(1)
  expect(failures).toHaveLength(1)
})
