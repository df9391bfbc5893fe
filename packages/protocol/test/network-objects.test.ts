import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  apiRoutes,
  corechannelSchema,
  domainsSchema,
  nodeWeight,
  noRequirements,
  placeVm,
  portForwardingSchema,
  pricingSchema,
  rankNodes,
  rendezvousRank,
  scoreMultiplier,
  settingsSchema,
  type VmKind,
  vmImagesSchema,
  vmIpv6,
} from '../src/index.ts'
import { readFixture } from './fixtures.ts'

interface Observed {
  value: Record<string, unknown>
}

const objects = readFixture<{
  corechannel: {
    aggregate_response: { value: { data: { corechannel: Record<string, unknown> } } }
    crn_observed: Observed
  }
  aggregates: Record<string, Observed>
  scheduler: Record<string, unknown>
  vectors: {
    rendezvous: {
      cases: {
        level: 'ccn' | 'crn'
        vm_hash: string
        nodes: { node_hash: string; weight: number }[]
        ranked: { node_hash: string; rank: string }[]
      }[]
    }
    guest_ipv6: { pool: string; type: VmKind; vm_hash: string; network: string; address: string }[]
    score_multiplier: { score: number; multiplier: number }[]
  }
}>('network-objects')

describe('rendezvous ranking', () => {
  it.each(objects.vectors.rendezvous.cases)('of $level for $vm_hash', ({ level, vm_hash, nodes, ranked }) => {
    for (const { node_hash, weight } of nodes) {
      const expected = ranked.find((entry) => entry.node_hash === node_hash)!.rank
      expect(rendezvousRank(level, vm_hash, node_hash, weight)).toBe(expected)
    }
    const order = rankNodes(
      level,
      vm_hash,
      nodes.map((node) => ({ hash: node.node_hash, weight: node.weight })),
    )
    expect(order.map((node) => node.hash)).toEqual(ranked.map((entry) => entry.node_hash))
  })

  const hex = fc.stringMatching(/^[0-9a-f]{64}$/)

  it('is that of the rule, computed in another way, for whatever network', () => {
    const network = fc.uniqueArray(fc.record({ hash: hex, weight: fc.integer({ min: 1, max: 16 }) }), {
      selector: ({ hash }) => hash,
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(fc.constantFrom('ccn', 'crn'), hex, network, (level, vm, nodes) => {
        const best = ({ hash, weight }: (typeof nodes)[number]) =>
          Array.from({ length: weight }, (_, k) =>
            createHash('sha256')
              .update([`aleph-sched/1/${level}`, vm, hash, k].join('\n'))
              .digest('hex'),
          )
            .sort()
            .at(-1)!
        const expected = nodes.toSorted((a, b) => (best(a) < best(b) ? 1 : -1)).map(({ hash }) => hash)
        expect(rankNodes(level, vm, nodes).map(({ hash }) => hash)).toEqual(expected)
        expect(rankNodes(level, vm, nodes.toReversed()).map(({ hash }) => hash)).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  it('leaves out who weighs nothing, and does not need anybody', () => {
    expect(rankNodes('crn', 'vm', [])).toEqual([])
    expect(rankNodes('crn', 'vm', [{ hash: 'only', weight: 1 }])).toHaveLength(1)
  })

  it.each(objects.vectors.score_multiplier)('a score of $score keeps $multiplier of the share', (vector) => {
    expect(scoreMultiplier(vector.score)).toBeCloseTo(vector.multiplier, 12)
  })
})

describe('a score', () => {
  // Computed with fractions.
  it.each([
    [0.2000001, 1.6666666666666668e-7, 1],
    [0.2, 0, 1],
    [0.1999999, 0, 0],
    [0.35, 0.25, 4],
    [0.4, 1 / 3, 5],
    [0.6125, 0.6875, 11],
    [0.7123456789, 0.8539094648333333, 13],
    [0.7999999, 0.9999998333333333, 15],
    [0.8, 1, 16],
    [Number.NaN, 0, 0],
  ])('of %d keeps %d of the share and weighs %d', (score, share, weight) => {
    expect(scoreMultiplier(score)).toBeCloseTo(share, 15)
    expect(nodeWeight(score)).toBe(weight)
  })
})

describe('a registry as published', () => {
  const published = objects.corechannel.aggregate_response.value.data.corechannel
  const registry = corechannelSchema.parse(published)

  it('is read without losing a field', () => {
    expect(registry).toMatchObject(published)
    expect(
      corechannelSchema.parse({ resource_nodes: [objects.corechannel.crn_observed.value] }),
    ).toMatchObject({
      resource_nodes: [objects.corechannel.crn_observed.value],
    })
  })

  it('places a VM on the best core node that has a good compute node', () => {
    const [first] = objects.vectors.rendezvous.cases
    const placement = placeVm(first!.vm_hash, noRequirements, registry)
    expect(placement).toEqual({
      coreNode: 'a'.repeat(64),
      computeNode: '1'.repeat(64),
      rankedCoreNodes: ['a'.repeat(64)],
      candidates: [{ coreNode: 'a'.repeat(64), computeNodes: ['1'.repeat(64), '2'.repeat(64)] }],
    })
  })

  it('weighs nodes by their score', () => {
    expect(registry.nodes.map((node) => nodeWeight(node.score))).toEqual([16, 11])
    expect(registry.resource_nodes.map((node) => nodeWeight(node.score))).toEqual([16, 8, 0, 0])
  })
})

describe('published aggregates are understood', () => {
  it.each([
    ['settings', settingsSchema],
    ['pricing_default', pricingSchema],
    ['pricing_live_2025', pricingSchema],
    ['vm-images', vmImagesSchema],
    ['domains', domainsSchema],
    ['port-forwarding', portForwardingSchema],
  ] as const)('%s', (name, schema) => {
    const parsed = schema.safeParse(objects.aggregates[name]!.value)
    expect(parsed.error).toBeUndefined()
  })
})

describe('answers of a scheduler are read as they are', () => {
  it.each([
    ['v0_allocation', apiRoutes.getAllocation],
    ['v0_nodes', apiRoutes.listComputeNodes],
    ['v0_simulate_ok', apiRoutes.simulatePlacement],
    ['v1_stats', apiRoutes.getSchedulerStats],
    ['v1_vms', apiRoutes.listSchedulerVms],
    ['v1_nodes', apiRoutes.listSchedulerNodes],
    ['v1_history', apiRoutes.listVmHistory],
  ] as const)('%s', (name, route) => {
    const answer = objects.scheduler[name]
    expect(route.answer.parse(answer)).toEqual(answer)
  })
})

describe('the IPv6 network of a VM', () => {
  const group = fc.integer({ min: 0, max: 0xffff })
  // Zeros are where spellings differ.
  const part = fc.oneof(group, fc.constant(0))
  const kinds = { microvm: 1, 'persistent-program': 2, instance: 3, 'v-program': 4 } as const

  it('is that of the formula, in the one spelling of RFC 5952', () => {
    fc.assert(
      fc.property(
        fc.tuple(part, part, part, part),
        fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[])),
        fc.tuple(part, part, part),
        fc.constantFrom(64, 56),
        (pool, kind, [first, second, third], length) => {
          const hash = [first, second, third].map((each) => each.toString(16).padStart(4, '0')).join('')
          const last = third & 0xfff0
          const written = [...pool, kinds[kind], first, second, last + 1].map((each) => each.toString(16))
          const address = new URL(`http://[${written.join(':')}]`).hostname.slice(1, -1)
          const prefix = `${pool.map((each) => each.toString(16)).join(':')}::/${length}`
          expect(vmIpv6(prefix, kind, hash.padEnd(64, 'f')).address).toBe(address)
        },
      ),
    )
  })

  it.each(objects.vectors.guest_ipv6)('in $pool', ({ pool, type, vm_hash, network, address }) => {
    expect(vmIpv6(pool, type, vm_hash)).toMatchObject({ network, address })
  })
})
