import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { CoreNodeContext } from '../context.ts'
import type { Assignment } from './plan.ts'
import { ShrinkGuard } from './shrink-guard.ts'

const holdSeconds = 100

/** A guard of one compute node, `node`, that was told these VMs by an earlier process. */
function guardOf(told: string[], { running = told }: { running?: string[] } = {}) {
  const statuses = new Map<string, string>()
  const reasons = new Map<string, string>()
  const metrics = new Registry()
  let now = 0
  const pool = {
    query: async (_sql: string, [hashes]: [string[]]) => ({
      rows: hashes.flatMap((item_hash) => {
        const status = statuses.get(item_hash)
        return status === undefined ? [] : [{ item_hash, status }]
      }),
    }),
  } as unknown as CoreNodeContext['pool']
  const context = { pool, logger: pino({ level: 'silent' }), metrics: { registry: metrics } }
  const guard = new ShrinkGuard(context as unknown as CoreNodeContext, {
    holdSeconds,
    lastPlaces: async () => new Map(told.map((vm) => [vm, 'node'])),
    running: () => running,
    reasonToLeave: (vm) => reasons.get(vm) ?? null,
    now: () => now,
  })
  const plan = async (...vms: string[]): Promise<boolean> => {
    const assignments = new Map(vms.map((vm) => [vm, { computeNode: 'node' } as Assignment]))
    await guard.look({ assignments }, ['node'])
    return guard.mayBeTold('node')
  }
  const pass = (seconds: number): void => {
    now += seconds
  }
  return { guard, plan, statuses, reasons, metrics, pass }
}

test('a plan that would stop most of what runs, and nobody knows why, is held back with an alarm', async () => {
  const { guard, plan, metrics } = guardOf(['a', 'b', 'c', 'd'])
  expect(await plan('a', 'b', 'c', 'd')).toBe(true)
  expect(await plan('a')).toBe(false)
  expect([...guard.heldPlaces.keys()]).toEqual(['b', 'c', 'd'])
  expect(await metrics.metrics()).toContain('aleph_core_held_plans 1')
  // New VMs do not make it look like a small loss.
  expect(await plan('a', 'e', 'f', 'g', 'h', 'i')).toBe(false)
  expect(await plan('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i')).toBe(true)
  expect(await metrics.metrics()).toContain('aleph_core_held_plans 0')
})

test('VMs may leave one by one, and up to half of them at once', async () => {
  const { plan } = guardOf(['a', 'b', 'c', 'd'])
  expect(await plan('a', 'b')).toBe(true)
  expect(await plan('a')).toBe(true)
})

test('what its owner forgot, nobody pays for, or leaves for a reason holds nothing back', async () => {
  const { plan, statuses, reasons } = guardOf(['a', 'b', 'c', 'd'])
  statuses.set('b', 'forgotten').set('c', 'removing')
  reasons.set('d', 'node_draining')
  expect(await plan('a')).toBe(true)
})

test('what has a place elsewhere may go', async () => {
  const { guard } = guardOf(['a', 'b'])
  const assignments = new Map(['a', 'b'].map((vm) => [vm, { computeNode: 'other' } as Assignment]))
  await guard.look({ assignments }, ['node'])
  expect(guard.mayBeTold('node')).toBe(true)
})

test('a process that was started anew compares with what compute nodes were told before', async () => {
  const { plan } = guardOf(['a', 'b'])
  expect(await plan()).toBe(false)
})

test('a process without a past compares with what runs, as far as it has never heard of it', async () => {
  const cold = guardOf([], { running: ['a', 'b', 'c'] })
  expect(await cold.plan('a')).toBe(false)
  const synced = guardOf([], { running: ['a', 'b', 'c'] })
  for (const vm of ['a', 'b', 'c']) synced.statuses.set(vm, 'processed')
  expect(await synced.plan('a')).toBe(true)
})

test('time or the operator lets a plan pass', async () => {
  const { plan, pass } = guardOf(['a', 'b'])
  expect(await plan()).toBe(false)
  pass(holdSeconds - 1)
  expect(await plan()).toBe(false)
  pass(1)
  expect(await plan()).toBe(true)

  const other = guardOf(['a', 'b'])
  expect(other.guard.release('node')).toBe(false)
  expect(await other.plan()).toBe(false)
  expect(other.guard.release('node')).toBe(true)
  expect(await other.plan()).toBe(true)
  expect(await other.plan()).toBe(true)
})
