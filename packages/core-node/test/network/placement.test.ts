import { vmIpv6 } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { patience } from '../testing/patience.ts'
import { ComputePair, coreHash } from './compute-pair.ts'

let pair: ComputePair
let late: string

/** Its compute nodes have room for two programs each. */
beforeAll(async () => {
  pair = await ComputePair.start({
    placement: { moveProgramsAfterSeconds: 0.2 },
    prepare: (stub) => {
      stub.ipv6Pool = '2a01:4f8:110:142e::/64'
      stub.caps = { vcpus: 2, instance_memory_mib: 0, program_memory_mib: 4096, disk_mib: 1000 }
    },
  })
})

afterAll(() => pair?.[Symbol.asyncDispose]())

const running = (index: number) => pair.plan(index).programs

/** What the scheduler's socket says from now on, up to a migration. */
async function eventsUntilMigration(): Promise<object[]> {
  const events: { type: string; vmHash: string }[] = []
  const socket = new WebSocket(`${pair.node.node.url.replace('http', 'ws')}/scheduler/api/v1/ws`)
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      events.push(JSON.parse(data))
      if (events.filter(({ type }) => type === 'VmMigrated').length < 2) return
      socket.close()
      resolve(events)
    }
  })
}

test('what compute nodes can carry is published for everybody to see', async () => {
  await vi.waitFor(async () => {
    const { body } = await pair.node.get('/api/v0/posts.json?types=crn-report')
    expect(body.posts.map((post: { ref: string }) => post.ref).sort()).toEqual([...pair.hashes].sort())
    expect(body.posts[0].content.caps).toMatchObject({ vcpus: 2, program_memory_mib: 4096 })
  }, patience)
})

test('compute nodes are filled as far as they go; who comes too late is told what is missing', async () => {
  for (let count = 0; count < 4; count++) await pair.publishProgram()
  await vi.waitFor(() => expect([running(0).length, running(1).length]).toEqual([2, 2]), patience)
  late = await pair.publishProgram()
  await vi.waitFor(async () => {
    expect(await pair.node.get(`/api/v0/allocation/${late}`)).toMatchObject({
      status: 404,
      body: { reasons: { vcpus: 2 } },
    })
  }, patience)
})

test('compute nodes are listed with what is left of them, as clients choose from them', async () => {
  const { body } = await pair.node.get('/crns.json?filter_inactive=true')
  expect(body.crns.map((each: { hash: string }) => each.hash)).toEqual(pair.hashes)
  expect(body.crns[0]).toMatchObject({
    address: pair.stubs[0]!.url,
    qemu_support: true,
    gpu_support: false,
    ipv6_check: { host: true, vm: true },
    config_from_crn: true,
    debug_config_from_crn_error: null,
    system_usage: {
      cpu: { count: 2, load_average: { load1: 2 } },
      mem: { total_kB: Math.round((4096 * 1_048_576) / 1000) },
      active: true,
    },
  })
})

test('clients are told the address that a VM has on its compute node', async () => {
  const [placed] = running(0)
  const { body } = await pair.node.get(`/api/v0/allocation/${placed}`)
  expect(body.vm_ipv6).toBe(vmIpv6('2a01:4f8:110:142e::/64', 'persistent-program', placed!).address)
  expect(body.node.supports_ipv6).toBe(true)
})

test('the API of the scheduler tells what is wanted, what is seen, and why', async () => {
  const [placed] = running(0)
  await vi.waitFor(async () => {
    expect((await pair.node.get(`/scheduler/api/v1/vms/${placed}`)).body).toMatchObject({
      vm_type: 'persistent_program',
      allocated_node: pair.hashes[0],
      observed_nodes: [pair.hashes[0]],
      status: 'dispatched',
      requirements_vcpus: 1,
      owner: pair.user.address,
    })
  }, patience)
  // Some clients take the scheduler to be at the root of its host.
  expect((await pair.node.get(`/api/v1/vms/${placed}`)).body.vm_hash).toBe(placed)
  expect((await pair.node.get('/scheduler/api/v1/vms?status=unschedulable')).body).toMatchObject({
    items: [{ vm_hash: late, allocated_node: null, scheduling_status: 'unschedulable' }],
    pagination: { page: 1, total_items: 1, total_pages: 1 },
  })
  expect((await pair.node.get('/scheduler/api/v1/vms?page_size=2&page=2')).body.items).toHaveLength(2)
  expect(
    (await pair.node.get(`/scheduler/api/v1/nodes?hash=${pair.hashes[0]!.slice(-8)}`)).body.items,
  ).toMatchObject([
    { node_hash: pair.hashes[0], status: 'Healthy', vcpus_total: 2, vcpus_available: 0, vm_count: 2 },
  ])
  expect((await pair.node.get('/scheduler/api/v1/stats')).body).toMatchObject({
    total_vms: 5,
    healthy_nodes: 2,
    total_vcpus_allocated: 4,
    total_vcpus_capacity: 4,
  })
  expect((await pair.node.get(`/scheduler/api/v1/vms/${late}/explanation`)).body.nodes).toEqual(
    pair.hashes.map((hash) => ({ node_hash: hash, core_node: coreHash, rank: null, reason: 'vcpus' })),
  )
  expect(await pair.node.get('/api/v0/simulate?vcpus=1&memory=100')).toMatchObject({
    status: 503,
    body: { schedulable: false, reasons: ['vcpus'] },
  })
  expect((await pair.node.get(`/scheduler/api/v1/vms/${'0'.repeat(64)}`)).status).toBe(404)
  expect((await pair.node.get('/scheduler/api/v1/allocations/ignored')).body).toMatchObject({ items: [] })
})

test('a VM that runs where it should not is told of', async () => {
  const [placed] = running(0)
  const seen = async () => (await pair.node.get(`/scheduler/api/v1/vms/${placed}`)).body
  pair.stubs[1]!.strays.add(placed!)
  await vi.waitFor(async () => {
    expect(await seen()).toMatchObject({ status: 'duplicated', observed_nodes: pair.hashes })
  }, patience)
  pair.stubs[1]!.strays.clear()
  await vi.waitFor(async () => expect((await seen()).status).toBe('dispatched'), patience)
})

test('a VM that ran where it should and does so no more is missing', async () => {
  const [placed] = running(0)
  const status = async () => (await pair.node.get(`/scheduler/api/v1/vms/${placed}`)).body.status
  pair.stubs[0]!.hidden.add(placed!)
  await vi.waitFor(async () => expect(await status()).toBe('missing'), patience)
  pair.stubs[0]!.hidden.clear()
  await vi.waitFor(async () => expect(await status()).toBe('dispatched'), patience)
})

test('a VM that its owner ended stays listed: orphaned as long as it runs somewhere, then unscheduled', async () => {
  const vm = running(1)[0]!
  await pair.forget([vm])
  await vi.waitFor(() => expect(running(1)).not.toContain(vm), patience)
  const list = async (status: string) =>
    (await pair.node.get(`/scheduler/api/v1/vms?status=${status}&owner=${pair.user.address}`)).body
  await vi.waitFor(async () => {
    expect((await pair.node.get(`/scheduler/api/v1/vms/${vm}`)).body).toMatchObject({
      status: 'unscheduled',
      scheduling_status: 'unscheduled',
      allocated_node: null,
      vm_type: 'persistent_program',
      owner: pair.user.address,
      payment_type: 'hold',
    })
  }, patience)
  pair.stubs[0]!.strays.add(vm)
  await vi.waitFor(async () => {
    expect(await list('orphaned')).toMatchObject({
      items: [{ vm_hash: vm, observed_nodes: [pair.hashes[0]] }],
      pagination: { total_items: 1 },
    })
  }, patience)
  expect((await list('unscheduled')).items).toEqual([])
  pair.stubs[0]!.strays.clear()
  await vi.waitFor(async () => expect((await list('unscheduled')).items).toHaveLength(1), patience)

  // Pages go on from what is wanted to what was.
  const pages = await Promise.all(
    [1, 2, 3].map(
      async (page) => (await pair.node.get(`/scheduler/api/v1/vms?page_size=2&page=${page}`)).body,
    ),
  )
  const all = pages.flatMap(({ items }) => items.map((each: { vm_hash: string }) => each.vm_hash))
  expect(new Set(all).size).toBe(pages[0].pagination.total_items)
  expect(all.at(-1)).toBe(vm)
  expect((await pair.node.get(`/scheduler/api/v1/vms/${vm}/history`)).body.items[0]).toMatchObject({
    action: 'unscheduled',
    reason: 'vm_removed',
  })
})

test('what ran on a compute node that died starts on another one', async () => {
  await pair.forget([late, ...running(1)])
  await vi.waitFor(() => expect(running(1)).toEqual([]), patience)
  const lost = [...running(0)].sort()
  const told = eventsUntilMigration()
  pair.stubs[0]!.stop()
  await vi.waitFor(() => expect([...running(1)].sort()).toEqual(lost), patience)
  expect((await pair.node.get(`/api/v0/allocation/${lost[0]}`)).body.node.node_id).toBe(pair.hashes[1])
  await vi.waitFor(async () => {
    expect((await pair.node.get(`/scheduler/api/v1/vms/${lost[0]}/history`)).body.items).toMatchObject([
      { action: 'migrated_to', node_hash: pair.hashes[1], reason: 'node_unhealthy' },
      { action: 'migrated_from', node_hash: pair.hashes[0] },
      { action: 'scheduled', node_hash: pair.hashes[0] },
    ])
  }, patience)
  expect(await told).toContainEqual({
    type: 'VmMigrated',
    vmHash: lost[0],
    sourceHash: pair.hashes[0],
    targetHash: pair.hashes[1],
  })
})
