import { randomBytes } from 'node:crypto'
import { devnetProfile, signAllocationRequest } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { InstanceNetwork } from './instance-network.ts'

const patience = { timeout: 60_000, interval: 200 }
let network: InstanceNetwork

/** Two core nodes with one compute node each. */
beforeAll(async () => {
  network = await InstanceNetwork.start({
    coreNodes: 2,
    parents: [0, 1],
    profile: { placement: { ...devnetProfile.placement, planSeconds: 1 } },
  })
}, 180_000)

afterAll(() => network?.stop())

test('an instance moves with its disks to a compute node of another core node when its own has no other', async () => {
  const vm = await network.publishInstance()
  await expect.poll(() => network.placeOf(vm), patience).toBeGreaterThanOrEqual(0)
  const source = await network.placeOf(vm)
  const target = 1 - source
  await expect.poll(() => network.diskOf(vm, source), patience).toBeDefined()
  const disk = await network.diskOf(vm, source)

  await network.drain(source, true)
  for (const coreNode of [0, 1]) {
    await expect.poll(() => network.placeOf(vm, coreNode), patience).toBe(target)
  }
  expect(await network.diskOf(vm, target)).toBe(disk)
  await expect.poll(() => network.isRunning(vm, target), patience).toBe(true)
  await expect.poll(() => network.diskOf(vm, source), patience).toBeUndefined()
  await expect.poll(() => network.claimsOf(vm), patience).toEqual([target])
  expect((await network.historyOf(vm, target))[0]).toMatchObject({
    action: 'migrated_to',
    node_hash: network.computeNodes[target]!.hash,
  })

  await network.drain(source, false)
  await network.drain(target, true)
  await expect.poll(() => network.placeOf(vm), patience).toBe(source)
  await expect.poll(() => network.diskOf(vm, source), patience).toBe(disk)
  await network.drain(target, false)
}, 240_000)

test('an owner has an instance moved to a compute node of another core node', async () => {
  const vm = await network.publishInstance()
  await expect.poll(() => network.placeOf(vm), patience).toBeGreaterThanOrEqual(0)
  const source = await network.placeOf(vm)
  await expect.poll(() => network.diskOf(vm, source), patience).toBeDefined()
  const disk = await network.diskOf(vm, source)
  const to = network.computeNodes[1 - source]!.hash
  await network.client(0, network.user).migrateInstance({ vmHash: vm, to })
  await expect.poll(() => network.placeOf(vm), patience).toBe(1 - source)
  expect(await network.diskOf(vm, 1 - source)).toBe(disk)
  await expect.poll(() => network.claimsOf(vm), patience).toEqual([1 - source])
}, 240_000)

test('an instance on a compute node that is linked to another core node stays, and goes on with that one', async () => {
  const vm = await network.publishInstance()
  await expect.poll(() => network.placeOf(vm), patience).toBeGreaterThanOrEqual(0)
  const place = await network.placeOf(vm)
  const other = 1 - place
  await expect.poll(() => network.diskOf(vm, place), patience).toBeDefined()
  const disk = await network.diskOf(vm, place)
  await network.link([other, other])
  await expect.poll(() => network.claimsOf(vm), patience).toEqual([other])
  for (const coreNode of [0, 1]) expect(await network.placeOf(vm, coreNode)).toBe(place)
  expect(await network.isRunning(vm, place)).toBe(true)
  expect(await network.diskOf(vm, place)).toBe(disk)
  await network.link([0, 1])
  await expect.poll(() => network.claimsOf(vm), patience).toEqual([place])
}, 240_000)

test('an instance on a compute node that was unlinked moves away with its disks', async () => {
  const vm = await network.publishInstance()
  await expect.poll(() => network.placeOf(vm), patience).toBeGreaterThanOrEqual(0)
  const source = await network.placeOf(vm)
  await expect.poll(() => network.diskOf(vm, source), patience).toBeDefined()
  const disk = await network.diskOf(vm, source)
  const parents = [0, 1].map((index) => (index === source ? null : index))
  await network.link(parents)
  for (const coreNode of [0, 1]) {
    await expect.poll(() => network.placeOf(vm, coreNode), patience).toBe(1 - source)
  }
  expect(await network.diskOf(vm, 1 - source)).toBe(disk)
  await expect.poll(() => network.claimsOf(vm), patience).toEqual([1 - source])
  await network.link([0, 1])
}, 240_000)

test('core nodes check each other’s plans, and find nothing wrong', async () => {
  const metricOf = async (name: string, index: number) => {
    const text = await (await fetch(`${network.coreNodes[index]!.url}/metrics`)).text()
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
  }
  await network.publishInstance()
  await expect
    .poll(async () => {
      const same = 'aleph_core_compared_plans_total\\{outcome="same"\\}'
      return (await metricOf(same, 0)) + (await metricOf(same, 1))
    }, patience)
    .toBeGreaterThan(0)
  for (const index of [0, 1]) expect(await metricOf('aleph_core_divergent_plans', index)).toBe(0)
})

test('nobody brings a VM to compute nodes but the core node that has it', async () => {
  const vm = await network.publishInstance()
  await expect.poll(() => network.placeOf(vm), patience).toBeGreaterThanOrEqual(0)
  const holder = await network.placeOf(vm)
  const other = 1 - holder
  await expect.poll(() => network.placeOf(vm, other), patience).toBe(holder)
  const { hash } = network.computeNodes[other]!
  const path = `/scheduler/api/v1/nodes/${hash}/arrivals/${vm}/control/migrate`
  const body = new TextEncoder().encode('{}')
  const ask = (authorization: string) =>
    fetch(`${network.coreNodes[other]!.url}${path}`, { method: 'POST', headers: { authorization }, body })
  expect((await ask('')).status).toBe(401)
  const stranger = signAllocationRequest({
    method: 'POST',
    path,
    body,
    iat: Math.floor(Date.now() / 1000),
    privateKey: randomBytes(32),
  })
  expect((await ask(stranger)).status).toBe(403)
  expect((await ask(stranger)).status).toBe(401)
})
