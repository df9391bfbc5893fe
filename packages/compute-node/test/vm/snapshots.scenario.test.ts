import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Supervisor } from '../../src/supervisor/index.ts'
import { counter, randomNumbers, staticSite } from './programs.ts'
import { call, openVmLab, type VmLab } from './vm-lab.ts'

interface Answer {
  atStart: Record<string, string>
  drawn: Record<string, string>
  /** Epoch seconds. */
  time: number
}

/** Long enough for a clock that stood still to be noticed. */
const staleMs = 2000

let lab: VmLab
let supervisor: Supervisor

beforeAll(async () => {
  lab = await openVmLab({ cold: true })
  supervisor = await lab.supervisor()
}, 600_000)

afterAll(async () => {
  await supervisor?.stopAll(0)
  await lab?.[Symbol.asyncDispose]()
})

test('clones of one snapshot share their past and nothing of their future', async () => {
  const one = await ask('first', 'cold')
  const files = await templateHashes()
  const two = await ask('second', 'restored')
  const three = await ask('third', 'restored')

  expect([two.atStart, three.atStart]).toEqual([one.atStart, one.atStart])
  for (const kind of Object.keys(one.drawn)) {
    expect(new Set([one.drawn[kind], two.drawn[kind], three.drawn[kind]]), kind).toHaveLength(3)
  }
  // What they did to their memory is theirs alone.
  const [runtime, program] = [2, 2]
  expect(files).toHaveLength(runtime + program)
  expect(await templateHashes()).toEqual(files)
})

test('a clone has the time of now, not that of its snapshot', async () => {
  const asked = Date.now() / 1000
  expectNow(await ask('clock', 'restored'), asked)
})

test('a function that stopped goes on from a machine made ready meanwhile, in the present', async () => {
  const before = await ask('first', 'cold')
  await supervisor.stop('first')
  await expect.poll(() => supervisor.standbyCount, { timeout: 20_000 }).toBe(1)
  await sleep(staleMs)
  const asked = Date.now() / 1000
  const after = await ask('first', 'restored')
  expect(supervisor.standbyCount).toBe(0)
  expectNow(after, asked)
  expect(after.atStart).toEqual(before.atStart)
  for (const kind of Object.keys(before.drawn)) expect(after.drawn[kind], kind).not.toBe(before.drawn[kind])
})

test('a function that nobody calls rests, and goes on with its memory, in the present', async () => {
  const count = async () =>
    JSON.parse(await call(await supervisor.ensureRunning(await lab.spec('rests', counter))))
  const before = await count()
  await supervisor.suspend('rests')
  expect(supervisor.get('rests')).toMatchObject({ state: 'stopped' })
  await sleep(staleMs)
  const asked = Date.now() / 1000
  const after = await count()
  expect(supervisor.get('rests')).toMatchObject({ startKind: 'resumed' })
  expect([before.calls, after.calls]).toEqual([1, 2])
  expectNow(after, asked)
})

test('a damaged snapshot is dropped, and the VM starts cold', async () => {
  // A runtime whose kernel boots faster than that of the others.
  const start = async () =>
    (await supervisor.ensureRunning(await lab.spec('damaged', staticSite))).info.startKind
  expect(await start()).toBe('cold')
  await supervisor.stopAll(0)
  for (const file of await templateFiles()) if (file.endsWith('state')) await truncate(file, 1000)
  supervisor = await lab.supervisor()
  expect(await start()).toBe('cold')
})

/** The guest's clock showed a time between the question and now, but for what it may be off. */
function expectNow({ time }: { time: number }, asked: number): void {
  expect(time).toBeGreaterThan(asked - 1)
  expect(time).toBeLessThan(Date.now() / 1000 + 1)
}

async function ask(id: string, startKind: 'cold' | 'restored'): Promise<Answer> {
  const vm = await supervisor.ensureRunning(await lab.spec(id, randomNumbers))
  expect(vm.info.startKind).toBe(startKind)
  return JSON.parse(await call(vm))
}

async function templateFiles(): Promise<string[]> {
  const folder = join(lab.dataDir, 'templates')
  const names = (await readdir(folder, { recursive: true })).sort()
  return names.filter((name) => /(memory|state)$/.test(name)).map((name) => join(folder, name))
}

async function templateHashes(): Promise<string[]> {
  return Promise.all(
    (await templateFiles()).map(async (path) => {
      const hash = createHash('sha256')
      await pipeline(createReadStream(path), hash)
      return hash.digest('hex')
    }),
  )
}
