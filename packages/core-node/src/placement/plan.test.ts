import {
  type CorechannelAggregate,
  corechannelSchema,
  devnetProfile,
  noRequirements,
  placementPolicy,
  placeVm,
  sha256Hex,
} from '@aleph-ts/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Claim, judgeClaims, type OwnerAllocations, validClaims, withChanges } from './claims.ts'
import { type PlanInputs, plan } from './plan.ts'
import type { Workload } from './workloads.ts'

const owners = ['0x70997970C51812dc3A010C7d01b50e0d17dc79C8', '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC']
const coreNodes = ['core-a', 'core-b']

/** Two core nodes with one compute node each. */
const corechannel: CorechannelAggregate = corechannelSchema.parse({
  nodes: coreNodes.map((hash, index) => ({ hash, owner: owners[index], status: 'active' })),
  resource_nodes: coreNodes.map((parent) => ({
    hash: `compute of ${parent}`,
    owner: owners[0],
    status: 'linked',
    parent,
    address: 'http://127.0.0.1:1',
  })),
})

const workloads: Workload[] = Array.from({ length: 40 }, (_, index) => ({
  hash: sha256Hex(`vm ${index}`),
  kind: 'persistent_program',
  owner: owners[0]!,
  sender: owners[0]!,
  paymentType: 'hold',
  paymentChain: null,
  gpus: [],
  requirements: noRequirements,
  confirmedHeight: null,
  time: index,
}))

const turnSeconds = 90

function firstChoice(vmHash: string, topology = corechannel): string {
  const placed = placeVm(vmHash, noRequirements, topology)
  if ('unschedulable' in placed) throw new Error('no node fits')
  return placed.coreNode
}

function planFor(self: string | null, inputs: Partial<PlanInputs> = {}) {
  return plan({
    workloads,
    corechannel,
    reports: new Map(),
    policy: placementPolicy(devnetProfile, {}),
    refuse: () => null,
    claims: [],
    coreNodes: new Set(self === null ? [] : [self]),
    published: new Map(),
    homelessSince: () => 1000,
    turnSeconds,
    now: 1000,
    ...inputs,
  })
}

test('every core node claims exactly the workloads that rank it first', () => {
  for (const self of coreNodes) {
    const expected = workloads.filter(({ hash }) => firstChoice(hash) === self).map(({ hash }) => hash)
    const { changes, assignments } = planFor(self)
    expect([...changes.keys()]).toEqual(expected)
    for (const hash of expected) {
      expect(changes.get(hash)).toMatchObject({ node: `compute of ${self}`, state: 'assigned', rank: 0 })
      expect(assignments.get(hash)?.computeNode).toBe(`compute of ${self}`)
    }
  }
})

test('a node that is not in the registry claims nothing', () => {
  expect(planFor(null).changes.size).toBe(0)
})

test('the next core node claims a workload when the first stays silent, and not before its turn', () => {
  const early = planFor('core-a', { now: 1000 + turnSeconds - 1 })
  const late = planFor('core-a', { now: 1000 + turnSeconds })
  const othersWorkload = workloads.find(({ hash }) => firstChoice(hash) === 'core-b')!
  expect(early.changes.has(othersWorkload.hash)).toBe(false)
  expect(late.changes.get(othersWorkload.hash)).toMatchObject({ node: 'compute of core-a', rank: 1 })
})

test('a claimed workload stays where it is, whatever the ranking says', () => {
  const claims = workloads.map(({ hash }): Claim => {
    return { vmHash: hash, coreNode: 'core-a', computeNode: 'compute of core-a', since: 500 }
  })
  for (const self of coreNodes) {
    const { changes, assignments } = planFor(self, { claims })
    expect(changes.size).toBe(0)
    expect([...assignments.values()].every(({ coreNode }) => coreNode === 'core-a')).toBe(true)
  }
})

test('of two claims the better ranked core node keeps the workload, and the other one releases it', () => {
  const { hash } = workloads[0]!
  const claims = coreNodes.map((coreNode): Claim => {
    return { vmHash: hash, coreNode, computeNode: `compute of ${coreNode}`, since: 500 }
  })
  const keeper = firstChoice(hash)
  const published = new Map([[hash, {}]])
  for (const self of coreNodes) {
    const { changes, assignments } = planFor(self, { claims, published, workloads: [workloads[0]!] })
    expect(assignments.get(hash)?.coreNode).toBe(keeper)
    expect([...changes]).toEqual(self === keeper ? [] : [[hash, null]])
  }
})

test('a workload that is handed over is with the other core node as soon as that one claims it', () => {
  const { hash } = workloads[0]!
  const from = firstChoice(hash)
  const to = coreNodes.find((each) => each !== from)!
  const claim = (coreNode: string, since: number): Claim => {
    return { vmHash: hash, coreNode, computeNode: `compute of ${coreNode}`, since }
  }
  const leaving = { ...claim(from, 500), target: `compute of ${to}` }
  const holderOf = (claims: Claim[]) =>
    planFor(null, { claims, workloads: [workloads[0]!] }).assignments.get(hash)?.coreNode
  expect(holderOf([leaving])).toBe(from)
  expect(holderOf([leaving, claim(to, 600)])).toBe(to)
  // An older claim says nothing of this move.
  expect(holderOf([leaving, claim(to, 400)])).toBe(from)
  expect(holderOf([claim(from, 500), claim(to, 600)])).toBe(from)
})

test('what runs on a compute node that goes to another core node stays there, and that one claims it', () => {
  const { hash } = workloads[0]!
  const allocation = { node: 'compute of core-b', epoch: 1, since: 5, state: 'assigned', rank: 0 }
  const aggregates: OwnerAllocations[] = [{ owner: owners[0]!, content: { [hash]: allocation } }]
  const former = new Map([['compute of core-b', 'core-a']])
  expect(validClaims(aggregates, corechannel)).toEqual([])
  const claims = validClaims(aggregates, corechannel, null, former)
  const inputs = { claims, workloads: [workloads[0]!] }
  const heir = planFor('core-b', inputs)
  expect(heir.changes.get(hash)).toMatchObject({ node: 'compute of core-b', state: 'assigned' })
  expect(heir.assignments.get(hash)).toMatchObject({ coreNode: 'core-b', computeNode: 'compute of core-b' })
  const claimed = planFor('core-b', { ...inputs, published: new Map([[hash, {}]]) })
  expect(claimed.changes.size).toBe(0)
  const published = new Map([[hash, {}]])
  const before = planFor('core-a', { ...inputs, published })
  expect(before.assignments.get(hash)).toMatchObject({ coreNode: 'core-b' })
  expect(before.changes.size).toBe(0)
  const heirs: Claim = { vmHash: hash, coreNode: 'core-b', computeNode: 'compute of core-b', since: 9 }
  const released = planFor('core-a', { ...inputs, claims: [...claims, heirs], published })
  expect([...released.changes]).toEqual([[hash, null]])
})

test('the claim of a forgotten workload is released', () => {
  const claims = [{ vmHash: 'gone', coreNode: 'core-a', computeNode: 'compute of core-a', since: 1 }]
  const { changes } = planFor('core-a', { workloads: [], claims, published: new Map([['gone', {}]]) })
  expect([...changes]).toEqual([['gone', null]])
})

test('a workload that no compute node fits is told why', () => {
  const { homeless } = planFor('core-a', {
    corechannel: corechannelSchema.parse({}),
    workloads: [workloads[0]!],
  })
  expect(homeless.get(workloads[0]!.hash)).toEqual({})
  const waiting = structuredClone(corechannel)
  for (const node of waiting.resource_nodes) node.status = 'waiting'
  const { homeless: reasons } = planFor('core-a', { corechannel: waiting, workloads: [workloads[0]!] })
  expect(reasons.get(workloads[0]!.hash)).toEqual({ not_linked: 2 })
})

test('claims count only from the owner of the core node that the compute node is linked to', () => {
  const allocation = { node: 'compute of core-a', epoch: 1, since: 5, state: 'assigned', rank: 0 }
  const aggregates: OwnerAllocations[] = [
    { owner: owners[0]!.toLowerCase(), content: { mine: allocation, released: null, broken: { node: 7 } } },
    { owner: owners[1]!, content: { stolen: allocation } },
    { owner: '0x90F79bf6EB2c4f870365E785982E1f101E93b906', content: { foreign: allocation } },
  ]
  expect(validClaims(aggregates, corechannel)).toEqual([
    { vmHash: 'mine', coreNode: 'core-a', computeNode: 'compute of core-a', since: 5 },
  ])
  expect(judgeClaims(aggregates, corechannel).ignored).toEqual([
    { vmHash: 'broken', owner: owners[0]!.toLowerCase(), computeNode: null, reason: 'malformed' },
    ...[
      { vmHash: 'stolen', owner: owners[1]! },
      { vmHash: 'foreign', owner: '0x90F79bf6EB2c4f870365E785982E1f101E93b906' },
    ].map((entry) => ({ ...entry, computeNode: 'compute of core-a', reason: 'not_its_compute_node' })),
  ])
  const changed = withChanges(aggregates, owners[0]!, [['mine', null]])
  expect(validClaims(changed, corechannel)).toEqual([])
})

test('whatever core nodes claim, there is one plan, and what is not claimed well is told', () => {
  const allocation = fc.record(
    {
      node: fc.oneof(fc.constantFrom('compute of core-a', 'compute of core-b', 'nowhere'), fc.string()),
      epoch: fc.oneof(fc.nat(), fc.double()),
      since: fc.oneof(fc.nat(), fc.double(), fc.string()),
      state: fc.constantFrom('assigned', 'running', 'migrating', 'sleeping'),
      target: fc.constantFrom('compute of core-a', 'compute of core-b', 'nowhere'),
      rank: fc.integer(),
    },
    { requiredKeys: [] },
  )
  const vm = fc.oneof(fc.constantFrom(...workloads.slice(0, 5).map(({ hash }) => hash)), fc.string())
  const content = fc.dictionary(vm, fc.oneof(allocation, fc.jsonValue() as fc.Arbitrary<object>))
  const aggregates = fc.tuple(
    ...owners.map((owner) => content.map((entries) => ({ owner, content: entries }))),
  )
  fc.assert(
    fc.property(aggregates, (published) => {
      const { claims, ignored } = judgeClaims(published, corechannel)
      const entries = published.flatMap((each) =>
        Object.values(each.content).filter((value) => value !== null),
      )
      expect(claims.length + ignored.length).toBe(entries.length)
      const [here, there] = [claims, claims.toReversed()].map((inOrder) => {
        const { assignments } = planFor(null, { claims: inOrder, workloads: workloads.slice(0, 5) })
        return [...assignments].map(([hash, { computeNode }]) => `${hash} ${computeNode}`).sort()
      })
      expect(here).toEqual(there)
    }),
    { numRuns: 200 },
  )
})
