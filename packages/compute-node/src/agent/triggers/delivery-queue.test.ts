import { expect, test } from 'vitest'
import { DeliveryQueue } from './delivery-queue.ts'

function queue(options: { concurrency: number; maxWaiting: number }) {
  const begun: number[] = []
  const ends: (() => void)[] = []
  const deliver = (item: number) => {
    begun.push(item)
    return new Promise<void>((resolve) => ends.push(resolve))
  }
  return { queue: new DeliveryQueue({ deliver, ...options }), begun, ends }
}

test('no more is under way than allowed, and what waits keeps its order', async () => {
  const { queue: deliveries, begun, ends } = queue({ concurrency: 2, maxWaiting: 10 })
  for (const item of [1, 2, 3, 4]) deliveries.add(item)
  expect(begun).toEqual([1, 2])
  ends[1]?.()
  await new Promise(setImmediate)
  expect(begun).toEqual([1, 2, 3])
})

test('what finds no room is refused; after its deliveries the queue is idle', async () => {
  const { queue: deliveries, ends } = queue({ concurrency: 1, maxWaiting: 1 })
  expect([deliveries.add(1), deliveries.add(2), deliveries.add(3)]).toEqual([true, true, false])
  ends[0]?.()
  await new Promise(setImmediate)
  expect(deliveries.isIdle).toBe(false)
  ends[1]?.()
  await new Promise(setImmediate)
  expect(deliveries.isIdle).toBe(true)
})

test('a closed queue begins nothing more', async () => {
  const { queue: deliveries, begun, ends } = queue({ concurrency: 1, maxWaiting: 2 })
  deliveries.add(1)
  deliveries.add(2)
  deliveries.close()
  ends[0]?.()
  await new Promise(setImmediate)
  expect([begun, deliveries.add(3)]).toEqual([[1], false])
})
