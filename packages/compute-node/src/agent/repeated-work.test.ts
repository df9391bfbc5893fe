import { expect, test } from 'vitest'
import { RepeatedWork } from './repeated-work.ts'

test('a turn follows a turn until it is stopped, also after one that failed', async () => {
  let turns = 0
  const errors: unknown[] = []
  const loop = new RepeatedWork({
    async work() {
      if (++turns === 2) throw new Error('no luck')
    },
    pauseMs: 1,
    onError: (error) => errors.push(error),
  })
  loop.start()
  await expect.poll(() => turns).toBeGreaterThan(4)
  await loop.stop()
  const atTheEnd = turns
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(turns).toBe(atTheEnd)
  expect(errors).toHaveLength(1)
})

test('the turn under way ends before the work counts as stopped', async () => {
  let [began, ended] = [false, false]
  const loop = new RepeatedWork({
    async work(stopping) {
      began = true
      await new Promise((resolve) => stopping.addEventListener('abort', resolve))
      ended = true
    },
    pauseMs: 1,
    onError: () => undefined,
  })
  loop.start()
  await expect.poll(() => began).toBe(true)
  await loop.stop()
  expect(ended).toBe(true)
})
