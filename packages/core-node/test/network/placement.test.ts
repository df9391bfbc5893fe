import { randomBytes } from 'node:crypto'
import { devnetProfile, type NetworkProfile, sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, sign } from '../testing/wallet.ts'
import { ComputeNodeStub } from './compute-node-stub.ts'

const registrar = newWallet()
const user = newWallet()
const profile: NetworkProfile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, corechannel: registrar.address },
}
const patience = { timeout: 20_000, interval: 25 }
let node: TestNode
let file: string
const computeNodes: ComputeNodeStub[] = []
let late: string
const hashes = ['left', 'right'].map((name) => sha256Hex(name))

/** A core node with two compute nodes that have room for two programs each. */
beforeAll(async () => {
  node = await TestNode.start({
    profile,
    config: {
      placement: { pollSeconds: 0.05, moveProgramsAfterSeconds: 0.2, moveInstancesAfterSeconds: 600 },
    },
  })
  await node.fund(user.address, '100000')
  const bytes = randomBytes(1000)
  const message = sign(user, 'STORE', { item_type: 'storage', item_hash: sha256Hex(bytes) })
  await node.upload(bytes, message)
  file = message.item_hash
  for (const _ of hashes) {
    const stub = await ComputeNodeStub.start([node.node.address])
    stub.caps = { vcpus: 2, instance_memory_mib: 0, program_memory_mib: 4096, disk_mib: 1000 }
    computeNodes.push(stub)
  }
  const content = {
    nodes: [{ hash: sha256Hex('core'), owner: node.node.address, status: 'active', resource_nodes: hashes }],
    resource_nodes: hashes.map((hash, index) => ({
      hash,
      owner: registrar.address,
      status: 'linked',
      parent: sha256Hex('core'),
      address: computeNodes[index]!.url,
    })),
  }
  await node.publish(sign(registrar, 'AGGREGATE', { key: 'corechannel', content }))
})

afterAll(async () => {
  await node[Symbol.asyncDispose]()
  for (const computeNode of computeNodes.splice(0)) computeNode.stop()
})

async function publishProgram(): Promise<string> {
  const message = sign(user, 'PROGRAM', {
    type: 'vm-function',
    allow_amend: false,
    code: { encoding: 'squashfs', entrypoint: 'main:app', ref: file, use_latest: false },
    runtime: { ref: file, use_latest: false, comment: '' },
    on: { http: true, persistent: true },
    environment: { reproducible: false, internet: false, aleph_api: false, shared_cache: false },
    resources: { vcpus: 1, memory: 128, seconds: 30 },
    volumes: [],
  })
  expect((await node.publish(message)).body).toMatchObject({ message_status: 'processed' })
  return message.item_hash
}

const running = (index: number) => computeNodes[index]!.plans.at(-1)?.persistent_vms ?? []

/** What the scheduler's socket says from now on, up to a migration. */
async function eventsUntilMigration(): Promise<object[]> {
  const events: { type: string; vmHash: string }[] = []
  const socket = new WebSocket(`${node.node.url.replace('http', 'ws')}/scheduler/api/v1/ws`)
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
    const { body } = await node.get('/api/v0/posts.json?types=crn-report')
    expect(body.posts.map((post: { ref: string }) => post.ref).sort()).toEqual([...hashes].sort())
    expect(body.posts[0].content.caps).toMatchObject({ vcpus: 2, program_memory_mib: 4096 })
  }, patience)
})

test('compute nodes are filled as far as they go; who comes too late is told what is missing', async () => {
  for (let count = 0; count < 4; count++) await publishProgram()
  await vi.waitFor(() => expect([running(0).length, running(1).length]).toEqual([2, 2]), patience)
  late = await publishProgram()
  await vi.waitFor(async () => {
    expect(await node.get(`/api/v0/allocation/${late}`)).toMatchObject({
      status: 404,
      body: { reasons: { vcpus: 2 } },
    })
  }, patience)
})

test('compute nodes are listed with what is left of them, as clients choose from them', async () => {
  const { body } = await node.get('/crns.json?filter_inactive=true')
  expect(body.crns.map((each: { hash: string }) => each.hash)).toEqual(hashes)
  expect(body.crns[0]).toMatchObject({
    address: computeNodes[0]!.url,
    qemu_support: true,
    gpu_support: false,
    ipv6_check: null,
    system_usage: {
      cpu: { count: 2, load_average: { load1: 2 } },
      mem: { total_kB: 4096 * 1024 },
      active: true,
    },
  })
})

test('the API of the scheduler tells what is wanted, what is seen, and why', async () => {
  const [placed] = running(0)
  await vi.waitFor(async () => {
    expect((await node.get(`/scheduler/api/v1/vms/${placed}`)).body).toMatchObject({
      vm_type: 'persistent_program',
      allocated_node: hashes[0],
      observed_nodes: [hashes[0]],
      status: 'dispatched',
      requirements_vcpus: 1,
      owner: user.address,
    })
  }, patience)
  // Some clients take the scheduler to be at the root of its host.
  expect((await node.get(`/api/v1/vms/${placed}`)).body.vm_hash).toBe(placed)
  expect((await node.get('/scheduler/api/v1/vms?status=unschedulable')).body).toMatchObject({
    items: [{ vm_hash: late, allocated_node: null, scheduling_status: 'unschedulable' }],
    pagination: { page: 1, total_items: 1, total_pages: 1 },
  })
  expect((await node.get('/scheduler/api/v1/vms?page_size=2&page=2')).body.items).toHaveLength(2)
  expect((await node.get(`/scheduler/api/v1/nodes?hash=${hashes[0]!.slice(-8)}`)).body.items).toMatchObject([
    { node_hash: hashes[0], status: 'Healthy', vcpus_total: 2, vcpus_available: 0, vm_count: 2 },
  ])
  expect((await node.get('/scheduler/api/v1/stats')).body).toMatchObject({
    total_vms: 5,
    healthy_nodes: 2,
    total_vcpus_allocated: 4,
    total_vcpus_capacity: 4,
  })
  expect((await node.get(`/scheduler/api/v1/vms/${late}/explanation`)).body.nodes).toEqual(
    hashes.map((hash) => ({ node_hash: hash, core_node: sha256Hex('core'), rank: null, reason: 'vcpus' })),
  )
  expect(await node.get('/api/v0/simulate?vcpus=1&memory=100')).toMatchObject({
    status: 503,
    body: { schedulable: false, reasons: ['vcpus'] },
  })
  expect((await node.get(`/scheduler/api/v1/vms/${'0'.repeat(64)}`)).status).toBe(404)
})

test('what ran on a compute node that died starts on another one', async () => {
  await node.publish(sign(user, 'FORGET', { hashes: [late, ...running(1)] }))
  await vi.waitFor(() => expect(running(1)).toEqual([]), patience)
  const lost = [...running(0)].sort()
  const told = eventsUntilMigration()
  computeNodes[0]!.stop()
  await vi.waitFor(() => expect([...running(1)].sort()).toEqual(lost), patience)
  expect((await node.get(`/api/v0/allocation/${lost[0]}`)).body.node.node_id).toBe(hashes[1])
  await vi.waitFor(async () => {
    expect((await node.get(`/scheduler/api/v1/vms/${lost[0]}/history`)).body.items).toMatchObject([
      { action: 'migrated_to', node_hash: hashes[1], reason: 'node_unhealthy' },
      { action: 'migrated_from', node_hash: hashes[0] },
      { action: 'scheduled', node_hash: hashes[0] },
    ])
  }, patience)
  expect(await told).toContainEqual({
    type: 'VmMigrated',
    vmHash: lost[0],
    sourceHash: hashes[0],
    targetHash: hashes[1],
  })
})
