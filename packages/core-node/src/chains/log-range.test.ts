import { expect, test } from 'vitest'
import { LogRange } from './log-range.ts'

test('grows up to its largest size while the provider answers', () => {
  const range = new LogRange({ initial: 10, max: 100 })
  for (let answers = 0; answers < 20; answers++) range.grow()
  expect(range.size).toBe(100)
})

test('settles close under a limit that nobody told it, with few refusals', () => {
  const limit = 700
  const range = new LogRange({ initial: 2_000, max: 10_000 })
  let refusals = 0
  for (let requests = 0; requests < 200; requests++) {
    if (range.size > limit) {
      refusals++
      expect(range.shrink(range.size)).toBe(true)
    } else {
      range.grow()
    }
  }
  expect(refusals).toBeLessThan(20)
  expect(range.size).toBeGreaterThan(limit / 2)
})

test('gives up when a single block is refused, and works on when it is answered later', () => {
  const range = new LogRange({ initial: 3, max: 10 })
  expect(range.shrink(3)).toBe(true)
  expect(range.size).toBe(1)
  expect(range.shrink(1)).toBe(false)
  expect(range.size).toBe(1)
  for (let answers = 0; answers < 40; answers++) range.grow()
  expect(range.size).toBe(10)
})
