import { randomBytes } from 'node:crypto'
import { signAllocationRequest } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { releasePlan } from '../../src/cli/release-plan.ts'
import { releasePath } from '../../src/placement/held-plan-routes.ts'
import { patience } from '../testing/patience.ts'
import { ComputePair } from './compute-pair.ts'

let pair: ComputePair
let vms: string[]

beforeAll(async () => {
  pair = await ComputePair.start({ placement: {}, prepare: () => {} })
  vms = [await pair.publishInstance(), await pair.publishInstance(), await pair.publishInstance()]
  await vi.waitFor(() => expect(running()).toEqual(vms.toSorted()), patience)
})

afterAll(() => pair?.[Symbol.asyncDispose]())

const running = () => [0, 1].flatMap((index) => pair.plan(index).instances).sort()

async function heldPlans(): Promise<number> {
  const text = await (await fetch(`${pair.node.node.url}/metrics`)).text()
  return Number(/^aleph_core_held_plans (\d+)$/m.exec(text)?.[1])
}

/** How many compute nodes have VMs. */
const busy = () => [0, 1].filter((index) => pair.plan(index).instances.length > 0).length

test('what runs is not stopped when claims lapse all at once, and nothing is said to have left', async () => {
  await pair.register([{}, {}], { status: 'waiting' })
  await vi.waitFor(async () => expect(await heldPlans()).toBe(busy()), patience)
  expect(running()).toEqual(vms.toSorted())
  const { body } = await pair.node.get(`/scheduler/api/v1/vms/${vms[0]}/history`)
  expect(body.items).toMatchObject([{ action: 'scheduled' }])
  await pair.register([{}, {}])
  await vi.waitFor(async () => expect(await heldPlans()).toBe(0), patience)
  for (const vm of vms) expect(await pair.placeOf(vm)).toBeDefined()
  expect(running()).toEqual(vms.toSorted())
})

test('what its owner ends is stopped, be it everything', async () => {
  await pair.forget(vms.splice(0, 2))
  await vi.waitFor(() => expect(running()).toEqual(vms), patience)
  expect(await heldPlans()).toBe(0)
})

test('the operator, and nobody else, lets such a plan pass', async () => {
  await pair.register([{}, {}], { status: 'waiting' })
  await vi.waitFor(async () => expect(await heldPlans()).toBe(1), patience)
  const computeNode = pair.hashes[pair.plan(0).instances.length > 0 ? 0 : 1]!
  const { url } = pair.node.node
  const path = releasePath(computeNode)
  const body = new Uint8Array()
  const stranger = signAllocationRequest({
    method: 'POST',
    path,
    body,
    iat: Math.floor(Date.now() / 1000),
    privateKey: randomBytes(32),
  })
  for (const authorization of ['', stranger]) {
    expect((await fetch(`${url}${path}`, { method: 'POST', headers: { authorization } })).status).toBe(401)
  }
  expect(running()).toEqual(vms)

  await releasePlan(pair.node.node.context.config, computeNode, { url })
  await vi.waitFor(() => expect(running()).toEqual([]), patience)
})
