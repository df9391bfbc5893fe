import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { stateIsCurrent } from './state-is-current.ts'

const waiting: AbortController[] = []

afterEach(() => {
  for (const controller of waiting.splice(0)) controller.abort()
})

function whenCurrent(options: Partial<Parameters<typeof stateIsCurrent>[0]>): Promise<void> {
  const stop = new AbortController()
  waiting.push(stop)
  return stateIsCurrent({
    catchUp: { caughtUpOnce: Promise.resolve() },
    expectsPeers: true,
    pendingCount: () => 0,
    signal: stop.signal,
    ...options,
  })
}

async function expectWaiting(current: Promise<void>): Promise<void> {
  expect(await Promise.race([current, sleep(200, 'waiting')])).toBe('waiting')
}

test('a node acts once it followed a peer to the end and processed what it got', async () => {
  let pending = 2
  await whenCurrent({ pendingCount: () => pending-- })
  expect(pending).toBeLessThan(0)
})

test('a node that has not reached any of its peers does not act yet', async () => {
  await expectWaiting(whenCurrent({ catchUp: { caughtUpOnce: new Promise(() => {}) } }))
})

test('a node that has messages left to process does not act yet', async () => {
  await expectWaiting(whenCurrent({ pendingCount: () => 1 }))
})

test('a node that knows no peers waits for nobody', async () => {
  await whenCurrent({ expectsPeers: false, catchUp: { caughtUpOnce: new Promise(() => {}) } })
})
