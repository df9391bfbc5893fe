import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { VmHost } from '../vm-host.ts'
import { PortRefresh } from './port-refresh.ts'

const vms = {
  list: () => [
    { id: 'first', type: 'instance', state: 'running' },
    { id: 'stopped', type: 'instance', state: 'stopped' },
    { id: 'program', type: 'program', state: 'running' },
    { id: 'second', type: 'instance', state: 'running' },
  ],
} as unknown as VmHost

test('every instance that runs gets its turn, also after one that fails', async () => {
  const asked: string[] = []
  const refresh = async (hash: string) => {
    asked.push(hash)
    if (hash === 'first') throw new Error('no core node answers')
  }
  await new PortRefresh({ vms, refresh, intervalMs: 0, logger: pino({ level: 'silent' }) }).check()
  expect(asked).toEqual(['first', 'second'])
})

test('a pass follows a pass until it is stopped', async () => {
  let passes = 0
  const refresh = async () => {
    passes++
  }
  const loop = new PortRefresh({ vms, refresh, intervalMs: 1, logger: pino({ level: 'silent' }) })
  loop.start()
  await expect.poll(() => passes).toBeGreaterThan(4)
  await loop.stop()
})
