import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeHypervisor, type FakeProgram } from '../hypervisor/index.ts'
import { fetchText, programSpec, SupervisorLab } from '../testing/supervisor-lab.ts'
import {
  type Supervisor,
  type SupervisorOptions,
  type VmInfo,
  VmNotRunningError,
  VmStartError,
} from './index.ts'

let lab: SupervisorLab
let dataDir: string

beforeEach(async () => {
  lab = await SupervisorLab.open()
  dataDir = lab.dataDir
})

afterEach(() => lab[Symbol.asyncDispose]())

function startSupervisor(options: Partial<SupervisorOptions> = {}): Promise<Supervisor> {
  return lab.start(options)
}

async function startError(start: Promise<unknown>): Promise<VmStartError> {
  const error = await start.then(
    () => null,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(VmStartError)
  return error as VmStartError
}

async function logText(supervisor: Supervisor, id: string): Promise<string[]> {
  const lines: string[] = []
  for await (const line of supervisor.logs(id)) lines.push(line.text)
  return lines
}

describe('starting', () => {
  test('a started VM answers HTTP through its byte stream', async () => {
    const supervisor = await startSupervisor()
    const vm = await supervisor.ensureRunning(programSpec('a'))
    expect(JSON.parse(await fetchText(vm, '/x?y=%26'))).toEqual({ method: 'GET', url: '/x?y=%26' })
    expect(vm.info).toMatchObject({ id: 'a', state: 'running', kind: 'on-demand', starts: 1 })
  })

  test('the program gets its command, environment and host name', async () => {
    let seen: unknown
    const hypervisor = new FakeHypervisor(({ command, env, hostname, internet }) => {
      seen = { command, env, hostname, internet }
      return (_, response) => response.end()
    })
    const supervisor = await startSupervisor({ hypervisor })
    const runtime = { ...programSpec('a').runtime, env: { A: 'runtime', B: 'runtime' } }
    await supervisor.ensureRunning(programSpec('a', { runtime, env: { A: 'own' }, internet: true }))
    expect(seen).toEqual({
      command: ['/usr/bin/node', '/aleph/serve.mjs', 'main.ts'],
      env: { A: 'own', B: 'runtime' },
      hostname: 'function',
      internet: true,
    })
  })

  test('a hundred simultaneous requests start one machine', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor })
    const vms = await Promise.all(
      Array.from({ length: 100 }, () => supervisor.ensureRunning(programSpec('a'))),
    )
    expect(hypervisor.machineCount).toBe(1)
    expect(vms[0]?.info.starts).toBe(1)
  })

  test('the second start of a function is restored from the first one’s snapshot', async () => {
    const supervisor = await startSupervisor()
    await supervisor.ensureRunning(programSpec('a'))
    expect(supervisor.get('a')?.startKind).toBe('cold')
    await supervisor.stop('a', 0)
    await supervisor.ensureRunning(programSpec('a'))
    expect(supervisor.get('a')?.startKind).toBe('restored')
  })

  test.each([
    ['environment', { env: { A: 'other' } }],
    ['code', { code: { path: '/code', sha256: 'other' } }],
    ['memory', { memoryMiB: 256 }],
    ['host name', { hostname: 'other' }],
    ['template key', { templateKey: 'other' }],
  ])('another %s is never restored from the same snapshot', async (_, change) => {
    const supervisor = await startSupervisor()
    await supervisor.ensureRunning(programSpec('a'))
    await supervisor.ensureRunning(programSpec('b', change))
    expect(supervisor.get('b')?.startKind).not.toBe('restored')
  })

  test('another program of the same runtime and machine starts from the runtime’s snapshot', async () => {
    const seen: Record<string, string>[] = []
    const hypervisor = new FakeHypervisor(({ env }) => {
      seen.push(env)
      return (_, response) => response.end()
    })
    const supervisor = await startSupervisor({ hypervisor })
    await supervisor.ensureRunning(programSpec('a', { env: { SECRET: 'of a' } }))
    await supervisor.ensureRunning(programSpec('b', { templateKey: 'b', env: { NAME: 'b' } }))
    expect(supervisor.get('a')?.startKind).toBe('cold')
    expect(supervisor.get('b')?.startKind).toBe('runtime')
    // Nothing of one owner reaches another.
    expect(seen.at(-1)).toEqual({ NAME: 'b' })
  })

  test.each([
    ['runtime', { runtime: { path: '/runtime', sha256: 'other', command: [] } }],
    ['memory', { memoryMiB: 256 }],
    ['number of processors', { vcpus: 2 }],
    ['number of disks', { volumes: [{ mount: '/disk', kind: 'disk' as const, path: '/disk' }] }],
  ])('another %s takes another runtime snapshot', async (_, change) => {
    const supervisor = await startSupervisor()
    await supervisor.ensureRunning(programSpec('a'))
    await supervisor.ensureRunning(programSpec('b', change))
    expect(supervisor.get('b')?.startKind).toBe('cold')
  })

  test('simultaneous first starts share one boot of the runtime, also when one of them is called off', async () => {
    const supervisor = await startSupervisor()
    const first = supervisor.ensureRunning(programSpec('a', { templateKey: 'a' }))
    const calledOff = startError(first)
    const second = supervisor.ensureRunning(programSpec('b', { templateKey: 'b' }))
    await once(supervisor, 'state')
    await supervisor.stop('a', 0)
    expect((await calledOff).code).toBe('stopped')
    await second
    expect(await readdir(join(dataDir, 'templates'))).toHaveLength(2)
  })

  test('a persistent VM leaves no snapshot, and starts from its runtime each time', async () => {
    const supervisor = await startSupervisor()
    await supervisor.ensureRunning(programSpec('a', { kind: 'persistent' }))
    await supervisor.stop('a', 0)
    await supervisor.ensureRunning(programSpec('a', { kind: 'persistent' }))
    expect(supervisor.get('a')).toMatchObject({ startKind: 'runtime', starts: 2 })
    expect(await readdir(join(dataDir, 'templates'))).toHaveLength(1)
  })

  test('a changed specification restarts the VM with it', async () => {
    const hypervisor = new FakeHypervisor(
      ({ env }) =>
        (_, response) =>
          response.end(env.VERSION),
    )
    const supervisor = await startSupervisor({ hypervisor })
    const before = await supervisor.ensureRunning(programSpec('a', { env: { VERSION: '1' } }))
    const after = await supervisor.ensureRunning(programSpec('a', { env: { VERSION: '2' } }))
    expect(await fetchText(after)).toBe('2')
    expect(() => before.openHttp()).toThrow(VmNotRunningError)
    expect(hypervisor.machineCount).toBe(1)
  })
})

describe('failing', () => {
  test('a program that exits is reported with its code and its last words', async () => {
    const program: FakeProgram = { fails: 'exits', code: 3, prints: 'ImportError: no module named x' }
    const supervisor = await startSupervisor({ hypervisor: new FakeHypervisor(() => program) })
    const error = await startError(supervisor.ensureRunning(programSpec('a')))
    expect(error).toMatchObject({ code: 'program_exited', message: 'the program exited with code 3' })
    expect(error.log).toContain('ImportError')
    expect(supervisor.get('a')).toMatchObject({ state: 'failed', error: { code: 'program_exited' } })
    expect(await logText(supervisor, 'a')).toEqual(['ImportError: no module named x'])
  })

  test.each(['program_not_listening', 'guest_boot_timeout'])('after %s nothing is left', async (code) => {
    const hypervisor = new FakeHypervisor(() => ({ fails: 'never-listens' }))
    if (code === 'guest_boot_timeout') hypervisor.failNextBoot()
    const supervisor = await startSupervisor({ hypervisor, limits: { programMs: 30 } })
    expect((await startError(supervisor.ensureRunning(programSpec('a')))).code).toBe(code)
    expect(hypervisor.machineCount).toBe(0)
    expect(supervisor.capacity.used).toEqual({ memoryMiB: 0, vcpus: 0 })
    // Only the runtime, which did boot, is kept.
    expect(await readdir(join(dataDir, 'templates'))).toHaveLength(code === 'guest_boot_timeout' ? 0 : 1)
  })

  test('a VM beyond the budget is refused until another one stops', async () => {
    const supervisor = await startSupervisor({ capacity: { memoryMiB: 200, vcpus: 8 } })
    await supervisor.ensureRunning(programSpec('a'))
    const error = await startError(supervisor.ensureRunning(programSpec('b')))
    expect(error.code).toBe('insufficient_capacity')
    expect(error.message).toContain('128 memoryMiB')
    await supervisor.stop('a', 0)
    expect((await supervisor.ensureRunning(programSpec('b'))).info.state).toBe('running')
  })

  test.each([
    ['../../etc/passwd', {}],
    ['a', { vcpus: 0 }],
    ['a', { memoryMiB: Number.NaN }],
  ])('a specification that cannot be run is refused (%s %o)', async (id, change) => {
    const supervisor = await startSupervisor()
    expect((await startError(supervisor.ensureRunning(programSpec(id, change)))).code).toBe('invalid_spec')
  })

  test('a machine that dies by itself is noticed, and can be started again', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor })
    const vm = await supervisor.ensureRunning(programSpec('a'))
    const failed = once(supervisor, 'state') as Promise<[VmInfo]>
    hypervisor.crash('a')
    expect((await failed)[0]).toMatchObject({ state: 'failed', error: { code: 'hypervisor_failed' } })
    expect(() => vm.openHttp()).toThrow(VmNotRunningError)
    expect((await supervisor.ensureRunning(programSpec('a'))).info).toMatchObject({
      state: 'running',
      starts: 2,
    })
  })

  test('a system that switches itself off is told from a machine that died', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor })
    await supervisor.ensureRunning(programSpec('a'))
    const failed = once(supervisor, 'state') as Promise<[VmInfo]>
    hypervisor.switchOff('a')
    expect((await failed)[0]).toMatchObject({ state: 'failed', error: { code: 'guest_ended' } })
  })

  test('a VM starts again only when its former machine is gone', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor })
    const persistent = programSpec('a', { kind: 'persistent' })
    await supervisor.ensureRunning(persistent)
    const letGo = hypervisor.holdOn('a')
    const failed = once(supervisor, 'state')
    hypervisor.exitProgram('a', 1)
    await failed
    const again = supervisor.ensureRunning(persistent)
    await sleep(20)
    expect(hypervisor.machineCount).toBe(1)
    letGo()
    expect((await again).info).toMatchObject({ state: 'running', starts: 2 })
    expect(hypervisor.machineCount).toBe(1)
  })

  test('a program that ends while running takes its machine with it', async () => {
    const hypervisor = new FakeHypervisor()
    const supervisor = await startSupervisor({ hypervisor })
    await supervisor.ensureRunning(programSpec('a'))
    const failed = once(supervisor, 'state') as Promise<[VmInfo]>
    hypervisor.exitProgram('a', 1)
    expect((await failed)[0]).toMatchObject({ state: 'failed', error: { code: 'program_exited' } })
    await expect.poll(() => hypervisor.machineCount).toBe(0)
  })
})

describe('stopping', () => {
  test('stopping during the start calls the start off', async () => {
    const hypervisor = new FakeHypervisor(() => ({ fails: 'never-listens' }))
    const supervisor = await startSupervisor({ hypervisor })
    const starting = startError(supervisor.ensureRunning(programSpec('a')))
    await expect.poll(() => hypervisor.machineCount).toBe(1)
    await supervisor.stop('a')
    expect((await starting).code).toBe('stopped')
    expect(supervisor.get('a')?.state).toBe('stopped')
    expect(hypervisor.machineCount).toBe(0)
  })

  test('states are told in order', async () => {
    const supervisor = await startSupervisor()
    const states: string[] = []
    supervisor.on('state', ({ state }) => states.push(state))
    await supervisor.ensureRunning(programSpec('a'))
    await supervisor.stop('a')
    expect(states).toEqual(['booting', 'running', 'stopping', 'stopped'])
  })

  test('the log outlives the VM until it is destroyed', async () => {
    const hypervisor = new FakeHypervisor(({ print }) => {
      print('hello from the guest')
      return (_, response) => response.end()
    })
    const supervisor = await startSupervisor({ hypervisor })
    await supervisor.ensureRunning(programSpec('a', { kind: 'persistent' }))
    await supervisor.stop('a')
    expect(await logText(supervisor, 'a')).toEqual(['hello from the guest'])
    await supervisor.destroy('a')
    expect(supervisor.get('a')).toBeUndefined()
    expect(await logText(supervisor, 'a')).toEqual([])
    expect(await readdir(join(dataDir, 'vms'))).toEqual([])
  })

  test('ended VMs are forgotten, oldest first, beyond the limit', async () => {
    const supervisor = await startSupervisor({ keepEnded: 1 })
    for (const id of ['a', 'b', 'c']) {
      await supervisor.ensureRunning(programSpec(id))
      await supervisor.stop(id, 0)
    }
    await supervisor.ensureRunning(programSpec('d'))
    expect(supervisor.list().map(({ id }) => id)).toEqual(['c', 'd'])
  })

  test('nothing starts once the supervisor closes', async () => {
    const supervisor = await startSupervisor()
    await supervisor.stopAll()
    expect((await startError(supervisor.ensureRunning(programSpec('a')))).code).toBe('stopped')
  })
})

describe('outgoing connections', () => {
  test('a VM with internet has its streams handed to the node', async () => {
    const hypervisor = new FakeHypervisor()
    const taken: string[] = []
    const onGuestStream = (id: string, _service: string, stream: Duplex) => {
      taken.push(id)
      stream.end('proxied')
    }
    const supervisor = await startSupervisor({ hypervisor, onGuestStream })
    await supervisor.ensureRunning(programSpec('a', { internet: true }))
    expect(await text(hypervisor.openEgress('a'))).toBe('proxied')
    expect(taken).toEqual(['a'])
  })

  test('a VM without internet has them refused, whatever its guest says', async () => {
    const hypervisor = new FakeHypervisor()
    const taken: string[] = []
    const supervisor = await startSupervisor({ hypervisor, onGuestStream: (id) => taken.push(id) })
    await supervisor.ensureRunning(programSpec('a'))
    hypervisor.openEgress('a')
    expect(taken).toEqual([])
  })
})

describe('restarting the node', () => {
  test('running VMs are taken over, with their start facts and their share of the budget', async () => {
    const hypervisor = new FakeHypervisor()
    const before = await startSupervisor({ hypervisor })
    await before.ensureRunning(programSpec('a', { kind: 'persistent' }))
    const { startedAt } = before.get('a')!
    await before.detach()
    const after = await startSupervisor({ hypervisor })
    expect(after.get('a')).toMatchObject({ state: 'running', startedAt, starts: 1 })
    expect(after.capacity.used).toEqual({ memoryMiB: 128, vcpus: 1 })
    const vm = await after.ensureRunning(programSpec('a', { kind: 'persistent' }))
    expect(JSON.parse(await fetchText(vm))).toMatchObject({ method: 'GET' })
    expect(hypervisor.machineCount).toBe(1)
  })

  test('a VM that died meanwhile is shown as failed', async () => {
    const hypervisor = new FakeHypervisor()
    const before = await startSupervisor({ hypervisor })
    await before.ensureRunning(programSpec('a'))
    await before.detach()
    const after = await startSupervisor({ hypervisor: new FakeHypervisor() })
    expect(after.get('a')).toMatchObject({ state: 'failed', error: { code: 'hypervisor_failed' } })
    hypervisor.crash('a')
  })

  test('machines nobody knows are killed, and unreadable records do not stop the node', async () => {
    const hypervisor = new FakeHypervisor()
    const before = await startSupervisor({ hypervisor })
    await before.ensureRunning(programSpec('a'))
    await before.detach()
    await writeFile(join(dataDir, 'vms', 'a.json'), '{"spec":')
    const after = await startSupervisor({ hypervisor })
    expect(after.list()).toEqual([])
    expect(hypervisor.machineCount).toBe(0)
  })

  test('a snapshot survives the restart and restores', async () => {
    const before = await startSupervisor()
    await before.ensureRunning(programSpec('a'))
    await before.stopAll(0)
    const after = await startSupervisor()
    await after.ensureRunning(programSpec('a'))
    expect(after.get('a')).toMatchObject({ startKind: 'restored', starts: 2 })
  })

  test('half-built snapshots and those of another hypervisor are deleted', async () => {
    const before = await startSupervisor()
    await before.ensureRunning(programSpec('a'))
    await before.stopAll(0)
    const templates = join(dataDir, 'templates')
    for (const key of await readdir(templates)) {
      await writeFile(join(templates, key, 'manifest.json'), '{"fingerprint":"another","bytes":1}')
    }
    await startSupervisor()
    expect(await readdir(templates)).toEqual([])
  })
})

test('a VM that is destroyed takes its snapshots along, those of its former versions included', async () => {
  const supervisor = await startSupervisor()
  const templates = async () => (await readdir(join(dataDir, 'templates'))).length
  for (const VERSION of ['1', '2']) await supervisor.ensureRunning(programSpec('a', { env: { VERSION } }))
  await supervisor.ensureRunning(programSpec('b', { templateKey: 'b' }))
  const runtimes = 1
  expect(await templates()).toBe(runtimes + 3)
  await supervisor.destroy('a')
  expect(await templates()).toBe(runtimes + 1)
})

test('snapshots beyond the disk budget are evicted, the least recently used first', async () => {
  const supervisor = await startSupervisor({ templateBudgetBytes: 0 })
  await supervisor.ensureRunning(programSpec('a'))
  await supervisor.stop('a', 0)
  await supervisor.ensureRunning(programSpec('b', { templateKey: 'b' }))
  await supervisor.stop('b', 0)
  await supervisor.ensureRunning(programSpec('a'))
  expect(supervisor.get('a')?.startKind).toBe('cold')
})
