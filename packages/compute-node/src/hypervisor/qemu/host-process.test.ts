import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { identifyProcess, isAlive, killProcess, processArguments } from './host-process.ts'

test('a process is known by its pid and its start, so that a recycled pid is not taken for it', async () => {
  const self = await identifyProcess(process.pid)
  expect(self).toMatchObject({ pid: process.pid })
  expect(await isAlive(self!)).toBe(true)
  expect(await isAlive({ ...self!, startTicks: '1' })).toBe(false)
})

test('killing a recycled pid does nothing', async () => {
  expect(await killProcess({ pid: process.pid, startTicks: '1' })).toBe(true)
})

test('a killed process is gone when told so', async () => {
  const child = spawn('sleep', ['1000'])
  await once(child, 'spawn')
  expect(await processArguments(child.pid!)).toContain('1000')
  const host = await identifyProcess(child.pid!)
  expect(await killProcess(host!)).toBe(true)
  expect(await identifyProcess(child.pid!)).toBeNull()
  expect(await processArguments(child.pid!)).toEqual([])
})
