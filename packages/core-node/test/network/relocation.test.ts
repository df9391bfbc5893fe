import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { patience } from '../testing/patience.ts'
import { type newWallet, sign } from '../testing/wallet.ts'
import type { ComputeNodeStub } from './compute-node-stub.ts'
import { ComputePair } from './compute-pair.ts'

const drainAfterSeconds = 0.2
let pair: ComputePair

/** Its compute nodes can be asked whether they have room. */
beforeAll(async () => {
  pair = await ComputePair.start({
    placement: { drainAfterSeconds },
    prepare: (stub) => {
      stub.allocations = 2
    },
  })
  await vi.waitFor(async () => {
    const { body } = await pair.node.get('/api/v0/posts.json?types=crn-report')
    expect(body.posts).toHaveLength(2)
  }, patience)
})

afterAll(() => pair?.[Symbol.asyncDispose]())

async function drain(owner: ReturnType<typeof newWallet>, hash: string, wish: boolean | null) {
  await pair.node.publish(sign(owner, 'AGGREGATE', { key: 'node-drains', content: { [hash]: wish } }))
}

test('a VM that one compute node refuses for want of room starts on the other one, and the first is not asked again', async () => {
  pair.stubs[0]!.refusing.set('*', 'insufficient_capacity')
  const vms: string[] = []
  const reasonAgainstFirst = async (vm: string) =>
    (await pair.node.get(`/scheduler/api/v1/vms/${vm}/explanation`)).body.nodes[0].reason
  // Not every VM is for the first one; and one refusal is enough, as the third makes a node get nothing at all.
  do {
    const vm = await pair.publishProgram()
    vms.push(vm)
    await vi.waitFor(() => expect(pair.plan(1).programs.toSorted()).toEqual(vms.toSorted()), patience)
  } while ((await reasonAgainstFirst(vms.at(-1)!)) === null)
  expect(await reasonAgainstFirst(vms.at(-1)!)).toBe('insufficient_capacity')
  expect(pair.stubs[0]!.plans.flatMap(({ persistent_vms }) => persistent_vms)).toEqual([])
  pair.stubs[0]!.refusing.clear()
  await pair.forget(vms)
  await vi.waitFor(() => expect(pair.plan(1).programs).toEqual([]), patience)
})

test('a VM that could not be started for want of room goes elsewhere', async () => {
  let full: ComputeNodeStub | undefined
  for (const stub of pair.stubs) {
    stub.failing = () => {
      full ??= stub
      return full === stub ? 'insufficient_capacity: No room for the VM' : undefined
    }
  }
  const vm = await pair.publishInstance()
  await vi.waitFor(() => expect(full).toBeDefined(), patience)
  const index = pair.stubs.indexOf(full!)
  await vi.waitFor(async () => expect(await pair.placeOf(vm)).toBe(pair.hashes[1 - index]), patience)
  await vi.waitFor(async () => {
    expect((await pair.node.get(`/scheduler/api/v1/vms/${vm}/history`)).body.items).toMatchObject([
      { action: 'migrated_to', node_hash: pair.hashes[1 - index], reason: 'insufficient_capacity' },
      { action: 'migrated_from', node_hash: pair.hashes[index] },
      { action: 'scheduled', node_hash: pair.hashes[index] },
    ])
  }, patience)
  full!.failing = () => undefined
  await pair.forget([vm])
})

test('a compute node that its operator drains gets nothing new; its programs move, and its instances with their disks', async () => {
  await pair.publishProgram()
  await pair.publishProgram()
  await vi.waitFor(
    () => expect(pair.plan(0).programs.length + pair.plan(1).programs.length).toBe(2),
    patience,
  )
  const before = { instances: pair.plan(0).instances, programs: pair.plan(0).programs }
  await drain(pair.user, pair.hashes[0]!, true)
  await drain(pair.registrar, pair.hashes[0]!, true)
  await vi.waitFor(() => expect(pair.plan(0)).toEqual({ instances: [], programs: [] }), patience)
  expect([...pair.stubs[1]!.imported].sort()).toEqual([...before.instances].sort())
  await vi.waitFor(
    () => expect([...pair.stubs[0]!.cleanedUp].sort()).toEqual([...before.instances].sort()),
    patience,
  )
  expect(pair.plan(1).instances).toEqual(expect.arrayContaining(before.instances))
  const late = await pair.publishInstance()
  await vi.waitFor(async () => expect(await pair.placeOf(late)).toBe(pair.hashes[1]), patience)
  const { nodes } = (await pair.node.get(`/scheduler/api/v1/vms/${late}/explanation`)).body
  expect(nodes[0]).toMatchObject({ node_hash: pair.hashes[0], reason: 'node_draining' })
  for (const moved of before.instances) {
    await vi.waitFor(async () => {
      const { items } = (await pair.node.get(`/scheduler/api/v1/vms/${moved}/history`)).body
      expect(items[0]).toMatchObject({
        action: 'migrated_to',
        node_hash: pair.hashes[1],
        reason: 'node_draining',
      })
    }, patience)
  }
  expect(pair.stubs.flatMap(({ problems }) => problems)).toEqual([])
})

test('a node that is drained no more may get VMs again', async () => {
  await drain(pair.registrar, pair.hashes[0]!, null)
  const vm = await pair.publishInstance()
  await vi.waitFor(async () => {
    const { nodes } = (await pair.node.get(`/scheduler/api/v1/vms/${vm}/explanation`)).body
    expect(nodes[0].reason).not.toBe('node_draining')
  }, patience)
})

test('a compute node whose score has long been too low is emptied, and gets VMs again once it is better', async () => {
  const vm = await pair.publishInstance()
  await vi.waitFor(async () => expect(await pair.placeOf(vm)).toBeDefined(), patience)
  const low = pair.hashes.indexOf((await pair.placeOf(vm))!)
  const [lowHash, otherHash] = [pair.hashes[low]!, pair.hashes[1 - low]!]
  const register = (score: number, other: number) =>
    pair.register(low === 0 ? [{ score }, { score: other }] : [{ score: other }, { score }])

  await register(0.19, 0.9)
  await pair.publishProgram()
  await vi.waitFor(
    async () => {
      // A stranger's wish changes nothing, but lets the node look anew instead of a while later.
      await drain(pair.user, lowHash, true)
      expect(await pair.vmsOn(lowHash)).toEqual([])
    },
    { ...patience, interval: 1000 * drainAfterSeconds },
  )
  expect(pair.stubs[1 - low]!.imported).toContain(vm)
  const { items } = (await pair.node.get(`/scheduler/api/v1/vms/${vm}/history`)).body
  expect(items[0]).toMatchObject({ action: 'migrated_to', node_hash: otherHash, reason: 'node_draining' })
  const { nodes } = (await pair.node.get(`/scheduler/api/v1/vms/${vm}/explanation`)).body
  expect(nodes[low]).toMatchObject({ node_hash: lowHash, reason: 'score_too_low' })

  await register(0.9, 0.19)
  const late = await pair.publishInstance()
  await vi.waitFor(async () => expect(await pair.placeOf(late)).toBe(lowHash), patience)
})
