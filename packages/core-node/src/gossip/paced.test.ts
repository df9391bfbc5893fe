import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { Paced } from './paced.ts'

const started: Paced[] = []

afterEach(() => {
  for (const paced of started.splice(0)) paced.stop()
})

function counter(pauseMs: number): { paced: Paced; times: number[] } {
  const times: number[] = []
  const paced = new Paced(() => times.push(performance.now()), pauseMs)
  started.push(paced)
  return { paced, times }
}

test('what is asked for at the same time is done once, and at once where nothing was done before', async () => {
  const { paced, times } = counter(60_000)
  for (let index = 0; index < 5; index++) paced.ask()
  await expect.poll(() => times.length).toBe(1)
})

test('what is asked for again is done after the pause', async () => {
  const { paced, times } = counter(50)
  paced.ask()
  await expect.poll(() => times.length).toBe(1)
  paced.ask()
  paced.ask()
  await expect.poll(() => times.length).toBe(2)
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(49)
})

test('nothing is done after it was stopped', async () => {
  const { paced, times } = counter(0)
  paced.ask()
  paced.stop()
  await sleep(20)
  expect(times).toEqual([])
})
