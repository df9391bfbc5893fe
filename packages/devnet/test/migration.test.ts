import { afterAll, beforeAll, expect, test } from 'vitest'
import { InstanceNetwork } from './instance-network.ts'

const patience = { timeout: 60_000, interval: 200 }
let network: InstanceNetwork
let vm: string
let disk: string | undefined

beforeAll(async () => {
  network = await InstanceNetwork.start({ coreNodes: 1, parents: [0, 0] })
  vm = await network.publishInstance()
})

afterAll(() => network?.stop())

/** Drains the compute node that the instance is on, and waits until it is on the other one, with its disk. */
async function moveAway(): Promise<{ source: number; target: number }> {
  const source = await network.placeOf(vm)
  const target = 1 - source
  await network.drain(source, true)
  await expect.poll(() => network.placeOf(vm), patience).toBe(target)
  await expect.poll(() => network.diskOf(vm, target), patience).toBe(disk)
  await expect.poll(() => network.isRunning(vm, target), patience).toBe(true)
  await expect.poll(() => network.diskOf(vm, source), patience).toBeUndefined()
  return { source, target }
}

test('an instance on a compute node that is drained moves to another one with its disks', async () => {
  await expect.poll(() => network.placeOf(vm), patience).toBeGreaterThanOrEqual(0)
  const source = await network.placeOf(vm)
  await expect.poll(() => network.diskOf(vm, source), patience).toBeDefined()
  disk = await network.diskOf(vm, source)
  const { target } = await moveAway()
  const [left, arrived] = [network.computeNodes[source]!.hash, network.computeNodes[target]!.hash]
  expect(await network.historyOf(vm)).toMatchObject([
    { action: 'migrated_to', node_hash: arrived, reason: 'node_draining' },
    { action: 'migrated_from', node_hash: left },
    { action: 'scheduled', node_hash: left },
  ])
}, 240_000)

test('it may come back, and leave again', async () => {
  for (let times = 0; times < 2; times++) {
    const back = 1 - (await network.placeOf(vm))
    await network.drain(back, false)
    await moveAway()
  }
}, 240_000)
