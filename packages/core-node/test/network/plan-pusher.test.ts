import { randomBytes } from 'node:crypto'
import { evmAddress } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { ComputeNodeCalls } from '../../src/placement/compute-node-calls.ts'
import { type NodePlan, PlanPusher } from '../../src/placement/plan-pusher.ts'
import { registeredRequests } from '../../src/registered-request.ts'
import { patience } from '../testing/patience.ts'
import { ComputeNodeStub } from './compute-node-stub.ts'

const privateKey = Uint8Array.from(randomBytes(32))
const operatorKey = { address: evmAddress(privateKey), privateKey }
const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function startComputeNode(): Promise<ComputeNodeStub> {
  const node = await ComputeNodeStub.start([operatorKey.address])
  stops.push(() => node.stop())
  return node
}

function createPusher(options: { refreshMs?: number; firstRetryMs?: number } = {}): PlanPusher {
  const calls = new ComputeNodeCalls({
    askRegistered: registeredRequests({ allowPrivate: true }).ask,
    key: operatorKey,
  })
  const pusher = new PlanPusher({ calls, logger: pino({ level: 'silent' }), ...options })
  stops.push(() => pusher.stop())
  return pusher
}

function nodePlan(...persistent_vms: string[]): NodePlan {
  return { persistent_vms, instances: [], on_demand_vms: [], v_programs: [] }
}

test('a compute node gets its whole plan, signed by the operator, and again when it changes', async () => {
  const [node, pusher] = [await startComputeNode(), createPusher()]
  pusher.setPlans(new Map([[node.url, nodePlan('a')]]))
  await vi.waitFor(() => expect(node.plans).toEqual([nodePlan('a')]), patience)
  pusher.setPlans(new Map([[node.url, nodePlan('a')]]))
  pusher.setPlans(new Map([[node.url, nodePlan('a', 'b')]]))
  await vi.waitFor(() => expect(node.plans).toEqual([nodePlan('a'), nodePlan('a', 'b')]), patience)
  expect(node.problems).toEqual([])
})

test('the same plan is sent again as a refresh, and never as a request the node has seen', async () => {
  const [node, pusher] = [await startComputeNode(), createPusher({ refreshMs: 20 })]
  pusher.setPlans(new Map([[node.url, nodePlan('a')]]))
  await vi.waitFor(() => expect(node.plans.length).toBeGreaterThan(3), patience)
  expect(node.problems).toEqual([])
})

test('a compute node that fails gets its plan again later, others meanwhile get theirs', async () => {
  const [failing, healthy] = [await startComputeNode(), await startComputeNode()]
  const pusher = createPusher({ firstRetryMs: 20 })
  failing.failures.push(503, 500)
  const away = 'http://127.0.0.1:1'
  pusher.setPlans(new Map([away, failing.url, healthy.url].map((url) => [url, nodePlan('a')])))
  await vi.waitFor(() => expect(healthy.plans).toEqual([nodePlan('a')]), patience)
  await vi.waitFor(() => expect(failing.plans).toEqual([nodePlan('a')]), patience)
})
