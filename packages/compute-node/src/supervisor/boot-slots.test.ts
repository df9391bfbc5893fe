import { expect, test } from 'vitest'
import { BootSlots } from './boot-slots.ts'

function deferred(): { promise: Promise<void>; resolve: () => void } {
  return Promise.withResolvers<void>()
}

test('no more tasks run at once than there are slots, in the order they came', async () => {
  const slots = new BootSlots(2)
  const gates = [deferred(), deferred(), deferred()]
  const begun: number[] = []
  const { signal } = new AbortController()
  const tasks = gates.map((gate, index) =>
    slots.run(signal, async () => {
      begun.push(index)
      await gate.promise
    }),
  )
  await Promise.resolve()
  expect(begun).toEqual([0, 1])
  gates[1]?.resolve()
  await tasks[1]
  await Promise.resolve()
  expect(begun).toEqual([0, 1, 2])
  for (const gate of gates) gate.resolve()
  await Promise.all(tasks)
})

test('a task that fails gives its slot back', async () => {
  const slots = new BootSlots(1)
  const { signal } = new AbortController()
  await expect(slots.run(signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await slots.run(signal, async () => 'yes')).toBe('yes')
})

test('a task called off while it waits leaves the queue', async () => {
  const slots = new BootSlots(1)
  const gate = deferred()
  const abort = new AbortController()
  const { signal } = new AbortController()
  const first = slots.run(signal, () => gate.promise)
  const second = slots.run(abort.signal, async () => 'never')
  const third = slots.run(signal, async () => 'third')
  abort.abort(new Error('called off'))
  await expect(second).rejects.toThrow('called off')
  gate.resolve()
  await first
  expect(await third).toBe('third')
})
