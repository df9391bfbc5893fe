import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { VmHost } from '../vm-host.ts'
import { refreshAllPorts } from './port-refresh.ts'

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
  await refreshAllPorts({ vms, refresh, logger: pino({ level: 'silent' }) })
  expect(asked).toEqual(['first', 'second'])
})
