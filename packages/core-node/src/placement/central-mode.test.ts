import {
  capacityReportSchema,
  corechannelSchema,
  devnetProfile,
  evmAddress,
  noRequirements,
  placementPolicy,
  sha256Hex,
} from '@aleph-ts/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { validClaims } from './claims.ts'
import { centralMandate, type Mandate, openMandate } from './mandate.ts'
import { type Plan, plan } from './plan.ts'
import type { Workload } from './workloads.ts'

const now = 1_000

function keyOf(name: string) {
  const privateKey = Uint8Array.from(Buffer.from(sha256Hex(name), 'hex'))
  return { privateKey, address: evmAddress(privateKey) }
}

const scheduler = keyOf('scheduler')
const score = fc.double({ min: 0, max: 1, noNaN: true })

/** Core nodes with compute nodes, some of them full, some bad, and VMs that want to run. */
const networks = fc
  .record({
    coreNodes: fc.array(fc.record({ score, active: fc.boolean() }), { minLength: 1, maxLength: 5 }),
    computeNodes: fc.array(fc.record({ score, parent: fc.nat(5), vcpus: fc.nat(6) }), { maxLength: 10 }),
    vms: fc.array(fc.record({ vcpus: fc.integer({ min: 1, max: 4 }), height: fc.option(fc.nat(3)) }), {
      maxLength: 20,
    }),
  })
  .map(({ coreNodes, computeNodes, vms }) => {
    const corechannel = corechannelSchema.parse({
      nodes: coreNodes.map(({ score, active }, index) => ({
        hash: `core ${index}`,
        owner: keyOf(`owner ${index}`).address,
        status: active ? 'active' : 'waiting',
        score,
      })),
      resource_nodes: computeNodes.map(({ score, parent }, index) => ({
        hash: `compute ${index}`,
        owner: keyOf('somebody').address,
        status: 'linked',
        parent: `core ${parent}`,
        score,
      })),
    })
    const reports = new Map(
      computeNodes.map(({ vcpus }, index) => {
        const caps = { vcpus, instance_memory_mib: 1e6, program_memory_mib: 1e6, disk_mib: 1e6 }
        const node_hash = `compute ${index}`
        return [node_hash, capacityReportSchema.parse({ node_hash, arch: 'x86_64', caps })]
      }),
    )
    const workloads = vms.map(({ vcpus, height }, index): Workload => {
      const uses = { vcpus, memoryMib: 1, diskMib: 1, pool: 'instance' as const, isResident: true }
      return {
        hash: sha256Hex(`vm ${index}`),
        kind: 'instance',
        owner: 'user',
        sender: 'user',
        paymentType: 'credit',
        paymentChain: null,
        gpus: [],
        requirements: { ...noRequirements, uses },
        confirmedHeight: height,
        time: index,
      }
    })
    return { corechannel, reports, workloads }
  })

type Network = typeof networks extends fc.Arbitrary<infer N> ? N : never

function planOf({ corechannel, reports, workloads }: Network, mandate: Mandate): Plan {
  return plan({
    workloads,
    corechannel,
    reports,
    policy: placementPolicy(devnetProfile, {}),
    claims: [],
    published: new Map(),
    refuse: () => null,
    coreNodes: mandate.coreNodes(corechannel),
    homelessSince: () => now,
    turnSeconds: 90,
    now,
  })
}

const placesOf = (plans: Plan[]) =>
  plans
    .flatMap(({ changes }) => [...changes])
    .map(([vmHash, allocation]) => [vmHash, { ...allocation }] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))

test('one scheduler for all places every VM where the core nodes together would', () => {
  fc.assert(
    fc.property(networks, (network) => {
      const open = network.corechannel.nodes.map((_, index) =>
        planOf(network, openMandate(keyOf(`owner ${index}`), '')),
      )
      const central = planOf(network, centralMandate(scheduler, scheduler.address.toLowerCase()))
      expect(placesOf([central])).toEqual(placesOf(open))
      const fitNowhere = (of: Plan) =>
        [...of.homeless].filter(([, reasons]) => Object.keys(reasons).length > 0)
      expect(fitNowhere(central)).toEqual(fitNowhere(open[0]!))
    }),
  )
})

test('where one scheduler places all VMs, core nodes place none, and what they claim does not count', () => {
  const corechannel = corechannelSchema.parse({
    nodes: [{ hash: 'core', owner: keyOf('owner 0').address, status: 'active' }],
    resource_nodes: [{ hash: 'compute', owner: 'x', status: 'linked', parent: 'core' }],
  })
  const other = centralMandate(keyOf('owner 0'), scheduler.address)
  expect(other.coreNodes(corechannel).size).toBe(0)
  const allocation = { node: 'compute', since: 1, state: 'assigned' }
  const aggregates = [
    { owner: keyOf('owner 0').address, content: { mine: allocation } },
    { owner: scheduler.address, content: { its: allocation } },
  ]
  const claimed = (by: string | null) => validClaims(aggregates, corechannel, by).map(({ vmHash }) => vmHash)
  expect(claimed(scheduler.address)).toEqual(['its'])
  expect(claimed(null)).toEqual(['mine'])
})
