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
const hashes = ['left', 'right'].map((name) => sha256Hex(name))
const stubs: ComputeNodeStub[] = []
let node: TestNode
let file: string

/** A core node with two compute nodes that can be asked whether they have room. */
beforeAll(async () => {
  node = await TestNode.start({
    profile,
    config: {
      placement: { pollSeconds: 0.05, moveProgramsAfterSeconds: 600, moveInstancesAfterSeconds: 600 },
    },
  })
  await node.fund(user.address, '1000000')
  const bytes = randomBytes(1000)
  const message = sign(user, 'STORE', { item_type: 'storage', item_hash: sha256Hex(bytes) })
  await node.upload(bytes, message)
  file = message.item_hash
  for (const _ of hashes) {
    const stub = await ComputeNodeStub.start([node.node.address])
    stub.allocations = 2
    stubs.push(stub)
  }
  const content = {
    nodes: [{ hash: sha256Hex('core'), owner: node.node.address, status: 'active', resource_nodes: hashes }],
    resource_nodes: hashes.map((hash, index) => ({
      hash,
      owner: registrar.address,
      status: 'linked',
      parent: sha256Hex('core'),
      address: stubs[index]!.url,
    })),
  }
  await node.publish(sign(registrar, 'AGGREGATE', { key: 'corechannel', content }))
  await vi.waitFor(async () => {
    const { body } = await node.get('/api/v0/posts.json?types=crn-report')
    expect(body.posts).toHaveLength(2)
  }, patience)
})

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  for (const stub of stubs) stub.stop()
})

async function publish(type: 'INSTANCE' | 'PROGRAM', content: object): Promise<string> {
  const message = sign(user, type, {
    allow_amend: false,
    resources: { vcpus: 1, memory: 128, seconds: 30 },
    volumes: [],
    ...content,
  })
  expect((await node.publish(message)).body).toMatchObject({ message_status: 'processed' })
  return message.item_hash
}

function publishInstance(): Promise<string> {
  return publish('INSTANCE', {
    environment: { internet: false, aleph_api: false, hypervisor: 'qemu' },
    rootfs: { parent: { ref: file, use_latest: false }, persistence: 'host', size_mib: 1024 },
  })
}

function publishProgram(): Promise<string> {
  return publish('PROGRAM', {
    type: 'vm-function',
    code: { encoding: 'squashfs', entrypoint: 'main:app', ref: file, use_latest: false },
    runtime: { ref: file, use_latest: false, comment: '' },
    on: { http: true, persistent: true },
    environment: { reproducible: false, internet: false, aleph_api: false, shared_cache: false },
  })
}

async function placeOf(vm: string): Promise<string | undefined> {
  return (await node.get(`/api/v0/allocation/${vm}`)).body.node?.node_id
}

/** What a compute node was told last. */
function plan(index: number) {
  const { instances = [], persistent_vms = [] } = stubs[index]!.plans.at(-1) ?? {}
  return { instances, programs: persistent_vms }
}

async function drain(owner: typeof registrar, hash: string, wish: boolean | null) {
  await node.publish(sign(owner, 'AGGREGATE', { key: 'node-drains', content: { [hash]: wish } }))
}

test('a VM that one compute node refuses for want of room starts on the other one, and the first is not asked again', async () => {
  stubs[0]!.refusing.set('*', 'insufficient_capacity')
  // A third refusal would be one too many for the next test.
  const vms = [await publishProgram(), await publishProgram()]
  await vi.waitFor(() => expect(plan(1).programs.toSorted()).toEqual(vms.toSorted()), patience)
  expect(stubs[0]!.plans.flatMap(({ persistent_vms }) => persistent_vms)).toEqual([])
  const refused = await Promise.all(
    vms.map(async (vm) => (await node.get(`/scheduler/api/v1/vms/${vm}/explanation`)).body.nodes[0].reason),
  )
  const asked = refused.filter((reason) => reason === 'insufficient_capacity')
  expect(asked.length + refused.filter((reason) => reason === null).length).toBe(vms.length)
  stubs[0]!.refusing.clear()
  await node.publish(sign(user, 'FORGET', { hashes: vms }))
  await vi.waitFor(() => expect(plan(1).programs).toEqual([]), patience)
})

test('a VM that could not be started for want of room goes elsewhere', async () => {
  let full: ComputeNodeStub | undefined
  for (const stub of stubs) {
    stub.failing = () => {
      full ??= stub
      return full === stub ? 'insufficient_capacity: No room for the VM' : undefined
    }
  }
  const vm = await publishInstance()
  await vi.waitFor(() => expect(full).toBeDefined(), patience)
  const index = stubs.indexOf(full!)
  await vi.waitFor(async () => expect(await placeOf(vm)).toBe(hashes[1 - index]), patience)
  await vi.waitFor(async () => {
    expect((await node.get(`/scheduler/api/v1/vms/${vm}/history`)).body.items).toMatchObject([
      { action: 'migrated_to', node_hash: hashes[1 - index], reason: 'insufficient_capacity' },
      { action: 'migrated_from', node_hash: hashes[index] },
      { action: 'scheduled', node_hash: hashes[index] },
    ])
  }, patience)
  full!.failing = () => undefined
  await node.publish(sign(user, 'FORGET', { hashes: [vm] }))
})

test('a compute node that its operator drains gets nothing new; its programs move, and its instances with their disks', async () => {
  await publishProgram()
  await publishProgram()
  await vi.waitFor(() => expect(plan(0).programs.length + plan(1).programs.length).toBe(2), patience)
  const before = { instances: plan(0).instances, programs: plan(0).programs }
  await drain(user, hashes[0]!, true)
  await drain(registrar, hashes[0]!, true)
  await vi.waitFor(() => expect(plan(0)).toEqual({ instances: [], programs: [] }), patience)
  expect([...stubs[1]!.imported].sort()).toEqual([...before.instances].sort())
  await vi.waitFor(
    () => expect([...stubs[0]!.cleanedUp].sort()).toEqual([...before.instances].sort()),
    patience,
  )
  expect(plan(1).instances).toEqual(expect.arrayContaining(before.instances))
  const late = await publishInstance()
  await vi.waitFor(async () => expect(await placeOf(late)).toBe(hashes[1]), patience)
  const { nodes } = (await node.get(`/scheduler/api/v1/vms/${late}/explanation`)).body
  expect(nodes[0]).toMatchObject({ node_hash: hashes[0], reason: 'node_draining' })
  for (const moved of before.instances) {
    await vi.waitFor(async () => {
      const { items } = (await node.get(`/scheduler/api/v1/vms/${moved}/history`)).body
      expect(items[0]).toMatchObject({ action: 'migrated_to', node_hash: hashes[1], reason: 'node_draining' })
    }, patience)
  }
  expect(stubs.flatMap(({ problems }) => problems)).toEqual([])
})

test('a node that is drained no more may get VMs again', async () => {
  await drain(registrar, hashes[0]!, null)
  const vm = await publishInstance()
  await vi.waitFor(async () => {
    const { nodes } = (await node.get(`/scheduler/api/v1/vms/${vm}/explanation`)).body
    expect(nodes[0].reason).not.toBe('node_draining')
  }, patience)
})
