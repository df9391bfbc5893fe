import { devAccounts } from '@aleph-ts/contracts/local-chain'
import { devnetProfile } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { InstanceNetwork } from './instance-network.ts'

const patience = { timeout: 60_000, interval: 200 }
const [scheduler] = devAccounts(1)
let network: InstanceNetwork

/** The first core node places VMs for both; each has a compute node. */
beforeAll(async () => {
  network = await InstanceNetwork.start({
    coreNodes: 2,
    parents: [0, 1],
    profile: {
      placement: { ...devnetProfile.placement, scheduler: scheduler!.address },
      defaultAllocationSigners: [scheduler!.address],
    },
  })
}, 180_000)

afterAll(() => network?.stop())

test('one core node places the VMs of a whole network, and every compute node obeys it', async () => {
  const vms = await Promise.all(Array.from({ length: 4 }, () => network.publishInstance()))
  for (const vm of vms) {
    await expect.poll(() => network.placeOf(vm), patience).toBeGreaterThanOrEqual(0)
    const place = await network.placeOf(vm)
    await expect.poll(() => network.isRunning(vm, place), patience).toBe(true)
    await expect.poll(() => network.placeOf(vm, 1), patience).toBe(place)
  }
  const allocations = await network.client(0).getAggregate(scheduler!.address, 'allocations')
  expect(Object.keys(allocations as object).sort()).toEqual(vms.toSorted())
  expect(await network.client(1).getAggregate(network.coreNodes[1]!.address, 'allocations')).toBeNull()
  // It empties compute nodes of other core nodes, too.
  const foreign = 1
  await network.drain(foreign, true)
  for (const vm of vms) await expect.poll(() => network.placeOf(vm), patience).toBe(1 - foreign)
}, 240_000)
