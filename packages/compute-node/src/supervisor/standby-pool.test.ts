import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeHypervisor } from '../hypervisor/index.ts'
import { fetchText, programSpec, SupervisorLab } from '../testing/supervisor-lab.ts'
import type { Supervisor, SupervisorOptions } from './index.ts'

let lab: SupervisorLab

beforeEach(async () => {
  lab = await SupervisorLab.open()
})

afterEach(() => lab[Symbol.asyncDispose]())

function startSupervisor(options: Partial<SupervisorOptions>): Promise<Supervisor> {
  return lab.start(options)
}

describe('standbys', () => {
  test('a function that was stopped begins again with the machine made ready for it', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    await supervisor.ensureRunning(programSpec('a'))
    await supervisor.stop('a', 0)
    await expect.poll(() => supervisor.standbyCount).toBe(1)
    const vm = await supervisor.ensureRunning(programSpec('a'))
    expect(JSON.parse(await fetchText(vm))).toMatchObject({ method: 'GET' })
    expect(vm.info).toMatchObject({ startKind: 'restored', starts: 2 })
    expect(hypervisor.machineCount).toBe(1)
  })

  test('there are never more than allowed: the oldest gives way', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    for (const id of ['a', 'b']) {
      await supervisor.ensureRunning(programSpec(id))
      await supervisor.stop(id, 0)
      await expect.poll(() => supervisor.standbyCount).toBe(1)
    }
    await expect.poll(() => hypervisor.machineCount).toBe(1)
  })

  test('a changed specification never gets the machine made ready for the old one', async () => {
    const hypervisor = new FakeHypervisor(
      ({ env }) =>
        (_, response) =>
          response.end(env.VERSION),
    )
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    await supervisor.ensureRunning(programSpec('a', { env: { VERSION: '1' } }))
    await supervisor.stop('a', 0)
    await expect.poll(() => supervisor.standbyCount).toBe(1)
    const vm = await supervisor.ensureRunning(programSpec('a', { env: { VERSION: '2' } }))
    expect(await fetchText(vm)).toBe('2')
    expect(hypervisor.machineCount).toBe(1)
  })

  test('one that died meanwhile is not used', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    await supervisor.ensureRunning(programSpec('a'))
    await supervisor.stop('a', 0)
    await expect.poll(() => supervisor.standbyCount).toBe(1)
    hypervisor.crash('a')
    const vm = await supervisor.ensureRunning(programSpec('a'))
    expect(JSON.parse(await fetchText(vm))).toMatchObject({ method: 'GET' })
  })

  test.each(['destroy', 'stopAll', 'detach'] as const)('%s leaves none', async (end) => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    await supervisor.ensureRunning(programSpec('a'))
    await supervisor.stop('a', 0)
    await (end === 'destroy' ? supervisor.destroy('a') : supervisor[end]())
    expect(hypervisor.machineCount).toBe(0)
  })
})

describe('resting', () => {
  /** Programs that count their calls. */
  function counting(): FakeHypervisor {
    return new FakeHypervisor(() => {
      let calls = 0
      return (_, response) => response.end(String(++calls))
    })
  }

  test('a program that nobody calls keeps what it has in memory until its next start', async () => {
    const hypervisor = counting()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    for (const call of ['1', '2', '3']) {
      const vm = await supervisor.ensureRunning(programSpec('a'))
      expect(await fetchText(vm)).toBe(call)
      await supervisor.suspend('a')
      expect(supervisor.get('a')).toMatchObject({ state: 'stopped' })
      expect(supervisor.capacity.used).toEqual({ memoryMiB: 0, vcpus: 0 })
    }
    expect((await supervisor.ensureRunning(programSpec('a'))).info).toMatchObject({
      startKind: 'resumed',
      starts: 4,
    })
    expect(hypervisor.machineCount).toBe(1)
  })

  test('who is stopped while it rests begins anew', async () => {
    const supervisor = await startSupervisor({ hypervisor: counting(), standbys: 1 })
    await fetchText(await supervisor.ensureRunning(programSpec('a')))
    await supervisor.suspend('a')
    await supervisor.stop('a')
    expect(await fetchText(await supervisor.ensureRunning(programSpec('a')))).toBe('1')
  })

  test('a machine that died while it rested is replaced', async () => {
    const hypervisor = counting()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    await fetchText(await supervisor.ensureRunning(programSpec('a')))
    await supervisor.suspend('a')
    hypervisor.crash('a')
    expect(await fetchText(await supervisor.ensureRunning(programSpec('a')))).toBe('1')
  })

  test.each([
    ['whose disk outlives it', { volumes: [{ kind: 'disk', path: '/disk', mount: '/data' }] as never }],
    ['that always runs', { kind: 'persistent' as const }],
  ])('a program %s does not rest: it is stopped', async (_, changes) => {
    const hypervisor = counting()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    await supervisor.ensureRunning(programSpec('a', changes))
    await supervisor.suspend('a')
    expect(supervisor.get('a')).toMatchObject({ state: 'stopped' })
    expect(hypervisor.machineCount).toBe(0)
  })

  test('a program that holds much memory is stopped, and a fresh clone waits instead', async () => {
    const hypervisor = new FakeHypervisor((machine) => {
      machine.ownMemory = 1024 ** 3
      return (_, response) => response.end()
    })
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    await supervisor.ensureRunning(programSpec('a'))
    await supervisor.suspend('a')
    await expect.poll(() => supervisor.standbyCount).toBe(1)
    expect((await supervisor.ensureRunning(programSpec('a'))).info).toMatchObject({ startKind: 'restored' })
  })

  test('one that gives way to another hears of its end', async () => {
    const hypervisor = counting()
    const supervisor = await startSupervisor({ hypervisor, standbys: 1 })
    for (const id of ['a', 'b']) {
      await supervisor.ensureRunning(programSpec(id))
      await supervisor.suspend(id)
    }
    expect(hypervisor.switchedOff).toEqual(['a'])
    expect(hypervisor.machineCount).toBe(1)
  })
})
