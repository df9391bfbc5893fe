import type { RequestListener } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FakeMachine } from '../../src/hypervisor/index.ts'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { ownerHeaders } from './owner-headers.ts'
import { eventually, TestNode } from './test-node.ts'

let node: TestNode

beforeAll(async () => {
  node = await TestNode.start({
    environment: {
      ALEPH_VM_CALLS_PER_VM: '2',
      ALEPH_VM_MAX_VMS_PER_PROGRAM: '3',
      ALEPH_VM_SCALE_IN_TIMEOUT: '0',
      ALEPH_VM_UPDATE_INTERVAL: '0',
    },
  })
})
afterAll(() => node[Symbol.asyncDispose]())

/** Holds every request back until told; answers with the id of the machine that served it. */
class SlowProgram {
  readonly waiting: (() => void)[] = []
  /** Ids of those that were asked something. */
  readonly machines = new Set<string>()

  on = (machine: FakeMachine): RequestListener => {
    return (request, response) => {
      machine.print(`asked for ${request.url}`)
      this.machines.add(machine.id)
      const answer = () => response.end(machine.id)
      if (request.url === '/at-once') answer()
      else this.waiting.push(answer)
    }
  }

  release(): void {
    for (const answer of this.waiting.splice(0)) answer()
  }
}

async function deploySlow(options: Parameters<TestNode['deploy']>[1] = {}) {
  const program = new SlowProgram()
  const hash = await node.deploy((_request, response) => response.end(), options)
  node.machinePrograms.set(hash, program.on)
  const textOf = async (path = '/') => (await node.call(hash, path)).text()
  return { program, hash, textOf }
}

function replicas(hash: string): string[] {
  return [...node.machines.keys()].filter((id) => id.startsWith(`${hash}-`))
}

async function known(hash: string): Promise<Record<string, unknown>> {
  const list = (await (await fetch(`${node.url}/v2/about/executions/list`)).json()) as Record<string, unknown>
  return Object.fromEntries(Object.entries(list).filter(([id]) => id.startsWith(hash)))
}

describe('a program with many calls at once', () => {
  test('gets further VMs up to the limit, which take the calls to come, and loses them when idle', async () => {
    const { program, hash, textOf } = await deploySlow()
    const calls: Promise<string>[] = []
    // While a VM starts no further one is asked for: calls go on until all are there.
    await eventually(() => {
      calls.push(textOf())
      return program.machines.size === 3
    })
    await eventually(() => program.waiting.length === calls.length)
    expect(replicas(hash)).toHaveLength(2)
    program.release()
    const servedBy = new Set(await Promise.all(calls))
    expect(servedBy).toEqual(new Set([hash, `${hash}-2`, `${hash}-3`]))
    await expect.poll(() => node.hypervisor.machineCountOf(`${hash}-`), { timeout: 20_000 }).toBe(0)
    expect(await textOf('/at-once')).toBe(hash)
  })

  test('is one VM for those who look, with one log', async () => {
    const { program, hash, textOf } = await deploySlow()
    const paths: string[] = []
    const calls: Promise<string>[] = []
    await eventually(() => {
      const path = `/call-${paths.length}`
      paths.push(path)
      calls.push(textOf(path))
      return program.machines.size > 1
    })
    await eventually(() => program.waiting.length === calls.length)
    program.release()
    expect(await Promise.all(calls)).toContain(`${hash}-2`)
    expect(Object.keys(await known(hash))).toEqual([hash])
    const logs = `/control/machine/${hash}/logs`
    const headers = ownerHeaders(node.core.owner, logs, 'GET')
    const log = await (await fetch(`${node.url}${logs}`, { headers })).text()
    expect(paths.filter((path) => !log.includes(`asked for ${path}`))).toEqual([])
  })

  test('keeps to one VM when it has a disk of its own', async () => {
    const volumes = [{ mount: '/data', persistence: 'host', name: 'data', size_mib: 5 }]
    const { program, hash, textOf } = await deploySlow({ extra: { volumes } })
    const calls = Array.from({ length: 8 }, () => textOf())
    await eventually(() => program.waiting.length === 8)
    program.release()
    expect(new Set(await Promise.all(calls))).toEqual(new Set([hash]))
  })

  test('stops with all its VMs', async () => {
    const { program, hash, textOf } = await deploySlow()
    const calls = Array.from({ length: 3 }, () => textOf())
    await eventually(() => replicas(hash).length === 1)
    const path = `/control/machine/${hash}/stop`
    await fetch(`${node.url}${path}`, {
      method: 'POST',
      headers: ownerHeaders(node.core.owner, path, 'POST'),
    })
    expect(node.hypervisor.machineCountOf(hash)).toBe(0)
    program.release()
    await Promise.allSettled(calls)
  })

  test('goes on when one of its VMs dies', async () => {
    const { program, hash, textOf } = await deploySlow()
    const calls = Array.from({ length: 3 }, () => textOf())
    await eventually(() => replicas(hash).length === 1)
    node.hypervisor.crash(`${hash}-2`)
    expect(await textOf('/at-once')).toBe(hash)
    program.release()
    await Promise.allSettled(calls)
  })
})

describe('an amended program', () => {
  async function deployVersions(extra: Record<string, unknown> = {}) {
    const ref = node.core.store(writeZip([{ name: 'main.ts', content: `old ${Math.random()}` }]))
    const slow = await deploySlow({ code: ref, useLatestCode: true, extra })
    const amend = () => node.core.store(writeZip([{ name: 'main.ts', content: `${Math.random()}` }]), { ref })
    const version = async (path = '/at-once') => {
      const response = await node.call(slow.hash, path)
      expect(response.status).toBe(200)
      await response.text()
      return response.headers.get('aleph-program-code-ref')
    }
    return { ...slow, ref, amend, version }
  }

  test.each([
    ['without a disk', {}],
    ['with a disk', { volumes: [{ mount: '/data', persistence: 'host', name: 'data', size_mib: 5 }] }],
  ])('%s moves to its new version without losing a call', async (_, extra) => {
    const { program, hash, ref, amend, version } = await deployVersions(extra)
    expect(await version()).toBe(ref)
    const underWay = version('/slow')
    await eventually(() => program.waiting.length === 1)
    const newer = amend()
    const asked: Promise<string | null>[] = []
    await eventually(async () => {
      asked.push(version())
      await Promise.race([asked.at(-1), new Promise((resolve) => setTimeout(resolve, 20))])
      if (asked.length === 20) program.release()
      return asked.length > 20 && (await version()) === newer
    })
    expect(await underWay).toBe(ref)
    const versions = await Promise.all(asked)
    expect(new Set(versions)).toEqual(new Set([ref, newer]))
    // Never back again.
    expect(versions.lastIndexOf(ref)).toBeLessThan(versions.indexOf(newer))
    await eventually(async () => (await version()) === newer && node.machines.get(hash) !== undefined)
  })

  test('whose new version does not start stays at the old one', async () => {
    const { hash, ref, amend, version, program } = await deployVersions()
    expect(await version()).toBe(ref)
    let tried = 0
    node.machinePrograms.set(hash, (machine) => {
      if (machine.restored) return program.on(machine)
      tried++
      return { fails: 'exits', code: 1 }
    })
    amend()
    await eventually(async () => {
      expect(await version()).toBe(ref)
      return tried > 0
    })
    expect(await version()).toBe(ref)
  })
})

test('an amended program moves to its new version when core nodes tell, before the node asks', async () => {
  await using quiet = await TestNode.start({ environment: { ALEPH_VM_UPDATE_INTERVAL: '3600' } })
  const ref = quiet.core.store(writeZip([{ name: 'main.ts', content: 'old' }]))
  const hash = await quiet.deploy((_request, response) => response.end(), { code: ref, useLatestCode: true })
  const version = async () => (await quiet.call(hash)).headers.get('aleph-program-code-ref')
  expect(await version()).toBe(ref)
  await eventually(() => quiet.core.requests.some((path) => path.startsWith('/api/v1/events')))
  const newer = quiet.core.store(writeZip([{ name: 'main.ts', content: 'new' }]), { ref })
  await eventually(async () => (await version()) === newer)
})
