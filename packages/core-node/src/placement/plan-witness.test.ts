import {
  corechannelSchema,
  devnetProfile,
  noRequirements,
  placementPolicy,
  type SchedulerPlan,
  schedulerPlanPostType,
  sha256Hex,
} from '@aleph-ts/protocol'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { ProcessedMessage } from '../events.ts'
import { openMandate } from './mandate.ts'
import { PlanWitness, type PlanWitnessContext, schedulerPlan } from './plan-witness.ts'
import type { PlanBasis } from './planner.ts'
import type { Workload } from './workloads.ts'

const peer = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'
const corechannel = corechannelSchema.parse({
  nodes: [{ hash: 'core', owner: peer, status: 'active' }],
  resource_nodes: [{ hash: 'compute', owner: '0x', status: 'linked', parent: 'core' }],
})
const workload: Workload = {
  hash: sha256Hex('vm'),
  kind: 'instance',
  owner: 'user',
  sender: 'user',
  paymentType: 'credit',
  paymentChain: null,
  gpus: [],
  requirements: noRequirements,
  confirmedHeight: null,
  time: 1,
}
const basis: PlanBasis = {
  corechannel,
  workloads: [workload],
  reports: new Map(),
  policy: placementPolicy(devnetProfile, {}),
  claims: [],
}
const honest = schedulerPlan(basis, 60)

/** What a node that has the same inputs makes of a published plan. */
async function outcomeOf(published: SchedulerPlan, by = peer): Promise<Record<string, number>> {
  const registry = new Registry()
  const context = {
    profile: devnetProfile,
    logger: pino({ level: 'silent' }),
    metrics: { registry },
  } as unknown as PlanWitnessContext
  const key = { address: '0x90F79bf6EB2c4f870365E785982E1f101E93b906', privateKey: new Uint8Array(32) }
  const witness = new PlanWitness(context, openMandate(key, ''))
  const content = { type: schedulerPlanPostType, content: published }
  witness.hear([{ type: 'POST', item_hash: 'x', owner: by, content } as ProcessedMessage])
  await witness.look(basis)
  const metrics = await registry.getMetricsAsJSON()
  return Object.fromEntries(
    metrics.flatMap(({ name, values }) =>
      values.map(({ value, labels }) => [labels.outcome ?? name, value] as const),
    ),
  )
}

test('a published plan that follows from its inputs is no alarm', async () => {
  expect(await outcomeOf(honest)).toEqual({ same: 1, aleph_core_divergent_plans: 0 })
})

test('one that does not is', async () => {
  const forged = { ...honest, plan_root: sha256Hex('another plan') }
  expect(await outcomeOf(forged)).toEqual({ divergent: 1, aleph_core_divergent_plans: 1 })
})

test('what strangers publish, and plans from other inputs, raise none', async () => {
  const forged = { ...honest, plan_root: sha256Hex('another plan') }
  expect(await outcomeOf(forged, '0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65')).toEqual({
    aleph_core_divergent_plans: 0,
  })
  const inputs = { ...honest.inputs, messages_root: sha256Hex('other messages') }
  expect(await outcomeOf({ ...forged, inputs })).toEqual({ aleph_core_divergent_plans: 0 })
})
