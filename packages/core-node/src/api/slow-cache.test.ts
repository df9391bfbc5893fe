import { expect, test, vi } from 'vitest'
import { SlowCache } from './slow-cache.ts'

test('a preliminary value is told until the true one is known', async () => {
  const cache = new SlowCache<number>(() => {})
  const { promise, resolve } = Promise.withResolvers<number>()
  const compute = vi.fn(() => promise)
  expect(await cache.get('key', compute, async () => 1)).toBe(1)
  expect(await cache.get('key', compute, async () => 1)).toBe(1)
  expect(compute).toHaveBeenCalledOnce()
  resolve(2)
  await vi.waitFor(async () => expect(await cache.get('key', compute, async () => 1)).toBe(2))
})

test('who asks at the same time shares one computation, and keys do not mix', async () => {
  const cache = new SlowCache<string>(() => {})
  const compute = vi.fn(async () => 'a')
  expect(await Promise.all([cache.get('a', compute), cache.get('a', compute)])).toEqual(['a', 'a'])
  expect(compute).toHaveBeenCalledOnce()
  expect(await cache.get('b', async () => 'b')).toBe('b')
})

test('a failure is told to who waits and not remembered', async () => {
  const cache = new SlowCache<number>(() => {})
  await expect(cache.get('key', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  expect(await cache.get('key', async () => 1)).toBe(1)
})

test('a failure that nobody waits for is reported', async () => {
  const failures: unknown[] = []
  const cache = new SlowCache<number>((error) => failures.push(error))
  const value = await cache.get(
    'key',
    () => Promise.reject(new Error('away')),
    async () => 1,
  )
  expect(value).toBe(1)
  await vi.waitFor(() => expect(failures).toEqual([new Error('away')]))
})
