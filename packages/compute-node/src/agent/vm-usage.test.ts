import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { vmUsage } from './vm-usage.ts'

test('what a process uses is told while it runs', async () => {
  const child = spawn(process.execPath, ['-e', 'for (let i = 0; i < 3e8; i++); setInterval(() => {}, 1000)'])
  const used = async () => (await vmUsage({ pid: child.pid! }))?.cpuUserSeconds
  await expect.poll(used).toBeGreaterThan(0)
  expect(await vmUsage({ pid: child.pid! })).toMatchObject({ memoryBytes: expect.any(Number), network: null })
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await vmUsage({ pid: child.pid! })).toBeNull()
})

test('a VM that does not run uses nothing', async () => {
  expect(await vmUsage({})).toBeNull()
})
