import { sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { patience } from '../testing/patience.ts'
import { sign } from '../testing/wallet.ts'
import { ComputePair } from './compute-pair.ts'

/** Each look publishes something, so that a plan is made. */
const slowly = { timeout: 20_000, interval: 200 }
const unlinkSeconds = 0.5
let pair: ComputePair

beforeAll(async () => {
  pair = await ComputePair.start({ placement: { unlinkSeconds }, prepare: () => {} })
})
afterAll(() => pair?.[Symbol.asyncDispose]())

/** Publishes an instance, and waits until it has a place. */
async function start(): Promise<{ vm: string; index: number }> {
  const vm = await pair.publishInstance()
  await vi.waitFor(async () => expect(await pair.placeOf(vm)).toBeDefined(), patience)
  const index = pair.hashes.indexOf((await pair.placeOf(vm))!)
  await vi.waitFor(() => expect(pair.plan(index).instances).toContain(vm), patience)
  return { vm, index }
}

const unlinked = { status: 'waiting', parent: null }
const fieldsAt = (index: number, fields: object) => (index === 0 ? [fields, {}] : [{}, fields])
const statusOf = async (vm: string) => (await pair.node.get(`/scheduler/api/v1/vms/${vm}`)).body
const newest = async (vm: string) =>
  (await pair.node.get(`/scheduler/api/v1/vms/${vm}/history`)).body.items[0]
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 2 * unlinkSeconds * 1000))

test('a compute node that is linked again in time goes on as if nothing had been', async () => {
  const { vm, index } = await start()
  await pair.register(fieldsAt(index, unlinked))
  await pair.register([{}, {}])
  await aWhile()
  await pair.publishProgram()
  expect(await pair.placeOf(vm)).toBe(pair.hashes[index])
  expect(pair.stubs[index]!.exported.size).toBe(0)
})

test('what ran on a compute node that is linked to another core node stays there, as far as the first is concerned', async () => {
  const { vm, index } = await start()
  const other = { hash: sha256Hex('other core'), owner: pair.registrar.address, status: 'active', score: 1 }
  await pair.register(fieldsAt(index, { parent: other.hash }), {}, [other])
  await aWhile()
  await pair.publishProgram()
  expect((await statusOf(vm)).allocated_node).toBe(pair.hashes[index])
  expect(pair.stubs[1 - index]!.plans.flatMap(({ instances }) => instances)).not.toContain(vm)
  await pair.register([{}, {}])
})

test('an instance that was never seen on a compute node that was unlinked starts elsewhere: there is nothing to lose', async () => {
  for (const stub of pair.stubs) stub.isIdle = true
  const { vm, index } = await start()
  await pair.register(fieldsAt(index, unlinked))
  await vi.waitFor(async () => {
    await pair.publishProgram()
    expect(await pair.placeOf(vm)).toBe(pair.hashes[1 - index])
  }, slowly)
  expect(pair.stubs[index]!.exported).not.toContain(vm)
  expect(await newest(vm)).toMatchObject({ action: 'migrated_to', reason: 'not_linked' })
  for (const stub of pair.stubs) stub.isIdle = false
  await pair.register([{}, {}])
})

test('instances of a compute node that was unlinked move away with their disks, after a while', async () => {
  const { vm, index } = await start()
  await vi.waitFor(async () => expect((await statusOf(vm)).status).toBe('dispatched'), patience)
  await pair.register(fieldsAt(index, unlinked))
  // Whatever happens next makes a plan; the instance is where it was.
  await pair.publishProgram()
  expect((await statusOf(vm)).allocated_node).toBe(pair.hashes[index])
  expect(pair.plan(index).instances).toContain(vm)
  await vi.waitFor(async () => {
    await pair.publishProgram()
    expect(await pair.placeOf(vm)).toBe(pair.hashes[1 - index])
  }, slowly)
  expect(pair.stubs[1 - index]!.imported).toContain(vm)
  await vi.waitFor(() => expect(pair.stubs[index]!.cleanedUp).toContain(vm), patience)
  expect(await newest(vm)).toMatchObject({ action: 'migrated_to', reason: 'not_linked' })
})

test('a compute node that the network excludes is emptied', async () => {
  await pair.register([{}, {}])
  const { vm, index } = await start()
  await vi.waitFor(async () => expect((await statusOf(vm)).status).toBe('dispatched'), patience)
  const content = { blacklisted_nodes: [pair.hashes[index]] }
  await pair.node.publish(sign(pair.registrar, 'AGGREGATE', { key: 'settings', content }))
  await vi.waitFor(async () => {
    await pair.publishProgram()
    expect(await pair.placeOf(vm)).toBe(pair.hashes[1 - index])
  }, slowly)
  expect(await newest(vm)).toMatchObject({ action: 'migrated_to', reason: 'blacklist' })
  const { nodes } = (await pair.node.get(`/scheduler/api/v1/vms/${vm}/explanation`)).body
  expect(nodes[index]).toMatchObject({ node_hash: pair.hashes[index], reason: 'blacklist' })
})
