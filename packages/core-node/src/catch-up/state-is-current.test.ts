import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { stateIsCurrent } from './state-is-current.ts'

/** Whether the node would act, after everything that can happen by itself has happened. */
async function isCurrent(options: Partial<Parameters<typeof stateIsCurrent>[0]>): Promise<boolean> {
  const stop = new AbortController()
  const current = stateIsCurrent({
    catchUp: { caughtUpOnce: Promise.resolve() },
    expectsPeers: true,
    pendingCount: () => 0,
    signal: stop.signal,
    ...options,
  }).then(() => true)
  const result = await Promise.race([current, sleep(200, false)])
  stop.abort()
  await current
  return result
}

test('a node acts once it followed a peer to the end and processed what it got', async () => {
  let pending = 2
  expect(await isCurrent({ pendingCount: () => pending-- })).toBe(true)
})

test('a node that has not reached any of its peers does not act yet', async () => {
  expect(await isCurrent({ catchUp: { caughtUpOnce: new Promise(() => {}) } })).toBe(false)
})

test('a node that has messages left to process does not act yet', async () => {
  expect(await isCurrent({ pendingCount: () => 1 })).toBe(false)
})

test('a node that knows no peers waits for nobody', async () => {
  expect(await isCurrent({ expectsPeers: false, catchUp: { caughtUpOnce: new Promise(() => {}) } })).toBe(
    true,
  )
})
