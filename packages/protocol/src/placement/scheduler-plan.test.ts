import { expect, test } from 'vitest'
import { corechannelSchema } from '../aggregates/corechannel.ts'
import { planInputRoots, planRoot, type SchedulerPlanInputs } from './scheduler-plan.ts'
import { noRequirements } from './vm-requirements.ts'

const inputs: SchedulerPlanInputs = {
  corechannel: corechannelSchema.parse({
    nodes: [
      { hash: 'core', owner: '0x1', status: 'active' },
      { hash: 'other', owner: '0x2', status: 'active' },
    ],
    resource_nodes: [{ hash: 'compute', owner: '0x3', status: 'linked', parent: 'core' }],
  }),
  vms: ['a', 'b'].map((hash) => ({ hash, requirements: noRequirements, confirmedHeight: null, time: 1 })),
  reports: new Map(),
  policy: { requiresIpv6Pool: false, streamChains: new Set(['AVAX', 'BASE']), blacklist: new Set() },
  claims: [{ vmHash: 'a', computeNode: 'compute', since: 5 }],
}

test('the same inputs have the same fingerprints, in whatever order they are named', () => {
  const { corechannel, vms } = inputs
  const turned = {
    ...inputs,
    policy: { ...inputs.policy, streamChains: new Set(['BASE', 'AVAX']) },
    vms: vms.toReversed(),
    corechannel: { ...corechannel, nodes: corechannel.nodes.toReversed() },
  }
  expect(planInputRoots(turned)).toEqual(planInputRoots(inputs))
  expect(
    planRoot([
      ['a', 'x'],
      ['b', 'y'],
    ]),
  ).toBe(
    planRoot([
      ['b', 'y'],
      ['a', 'x'],
    ]),
  )
})

test.each<[keyof ReturnType<typeof planInputRoots>, Partial<SchedulerPlanInputs>]>([
  ['messages_root', { vms: [{ ...inputs.vms[0]!, confirmedHeight: 7 }, inputs.vms[1]!] }],
  ['allocations_root', { claims: [{ vmHash: 'a', computeNode: 'compute', since: 5, target: 'x' }] }],
  ['settings', { policy: { ...inputs.policy, blacklist: new Set(['compute']) } }],
  ['corechannel', { corechannel: { ...inputs.corechannel, resource_nodes: [] } }],
])('what is other in %s shows there, and nowhere else', (name, change) => {
  const [before, after] = [planInputRoots(inputs), planInputRoots({ ...inputs, ...change })]
  const changed = Object.keys(before).filter(
    (key) => before[key as typeof name] !== after[key as typeof name],
  )
  expect(changed).toEqual([name])
})

test('another place is another plan', () => {
  expect(planRoot([['a', 'x']])).not.toBe(planRoot([['a', 'y']]))
})
