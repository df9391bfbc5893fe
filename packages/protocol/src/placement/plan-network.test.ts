import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { corechannelSchema } from '../aggregates/corechannel.ts'
import { sha256Hex } from '../hash/sha256.ts'
import { CapacityLedger } from './capacity-ledger.ts'
import { type CapacityReport, capacityReportSchema } from './capacity-report.ts'
import { explainPlacement, placeVm } from './place-vm.ts'
import { type PlannedVm, planNetwork } from './plan-network.ts'
import { noRequirements, type VmRequirements } from './vm-requirements.ts'

const nodes = ['a', 'b', 'c', 'd', 'e', 'f']

/** Three core nodes with two compute nodes each. */
const corechannel = corechannelSchema.parse({
  nodes: [0, 1, 2].map((index) => ({
    hash: `core-${index}`,
    owner: `0x${index}`,
    status: 'active',
    score: 0.9,
  })),
  resource_nodes: nodes.map((hash, index) => ({
    hash,
    owner: `0xOwnerOf${hash}`,
    status: 'linked',
    parent: `core-${index % 3}`,
    score: 0.9,
  })),
})

function report(node: string, more: object = {}): [string, CapacityReport] {
  const caps = { vcpus: 4, instance_memory_mib: 4096, program_memory_mib: 2048, disk_mib: 100_000 }
  return [
    node,
    capacityReportSchema.parse({ node_hash: node, arch: 'x86_64', vendor: 'AuthenticAMD', caps, ...more }),
  ]
}

const reports = new Map(nodes.map((node) => report(node)))

function instance(
  name: string,
  more: Partial<VmRequirements> = {},
  order: Partial<PlannedVm> = {},
): PlannedVm {
  const uses = { vcpus: 1, memoryMib: 1024, diskMib: 10_000, pool: 'instance' as const, isResident: true }
  const requirements = { ...noRequirements, uses, ...more }
  return { hash: sha256Hex(name), requirements, confirmedHeight: null, time: 1000, ...order }
}

const fleet = Array.from({ length: 30 }, (_, index) => instance(`vm ${index}`, {}, { time: 1000 + index }))

function planFor(vms: PlannedVm[], more: Partial<Parameters<typeof planNetwork>[0]> = {}) {
  return planNetwork({ vms, corechannel, reports, assigned: new Map(), ...more })
}

function placesOf(plan: ReturnType<typeof planNetwork>): Map<string, string> {
  return new Map([...plan.placed].map(([hash, { computeNode }]) => [hash, computeNode]))
}

describe('the plan of a network', () => {
  it('fills nodes to what they reported and no further, and says what was missing', () => {
    const plan = planFor(fleet)
    const counts = Map.groupBy(placesOf(plan).values(), (node) => node)
    expect([...counts.values()].map((vms) => vms.length)).toEqual([4, 4, 4, 4, 4, 4])
    expect([...plan.unschedulable.values()]).toEqual(Array(6).fill({ vcpus: 6 }))
    expect(plan.ledger.free('a')).toMatchObject({ vcpus: 0, instanceMemoryMib: 0, diskMib: 60_000 })
  })

  it('does not depend on the order in which VMs are named', () => {
    const expected = planFor(fleet)
    fc.assert(
      fc.property(fc.shuffledSubarray(fleet, { minLength: fleet.length }), (shuffled) => {
        const plan = planFor(shuffled)
        expect(new Map([...plan.placed].sort())).toEqual(new Map([...expected.placed].sort()))
        expect(new Set(plan.unschedulable.keys())).toEqual(new Set(expected.unschedulable.keys()))
      }),
      { numRuns: 20 },
    )
  })

  it('is what placing one VM after the other comes to, to the last reason', () => {
    const vcpus = fc.integer({ min: 1, max: 3 })
    const demand = fc.record({ vcpus, memoryMib: fc.constantFrom(512, 2048), gpus: fc.constantFrom(0, 0, 1) })
    fc.assert(
      fc.property(fc.array(demand, { maxLength: 30 }), (demands) => {
        const vms = demands.map(({ vcpus, memoryMib, gpus }, index) => {
          const uses = { vcpus, memoryMib, diskMib: 10_000, pool: 'instance' as const, isResident: true }
          return instance(`vm ${index}`, { uses, gpus: Array(gpus).fill('10de:2684') }, { time: index })
        })
        const refuse = ({ hash }: { hash: string }, vmHash: string) =>
          vmHash < '4' && hash === 'b' ? 'not_here' : null
        const plan = planFor(vms, { refuse })
        const ledger = new CapacityLedger(reports)
        for (const { hash, requirements } of vms) {
          const options = { reports, ledger, refuse: (node: { hash: string }) => refuse(node, hash) }
          const place = placeVm(hash, requirements, corechannel, options)
          if ('unschedulable' in place) expect(plan.unschedulable.get(hash)).toEqual(place.unschedulable)
          else {
            expect(plan.placed.get(hash)?.candidates).toEqual(place.candidates)
            ledger.reserve(place.computeNode, requirements)
          }
        }
      }),
    )
  })

  it('leaves everything where it is, also on nodes that are overfull', () => {
    const assigned = new Map(fleet.map((vm) => [vm.hash, 'a']))
    const plan = planFor([...fleet, instance('one more')], { assigned })
    expect(plan.placed.size).toBe(1)
    expect(placesOf(plan).get(sha256Hex('one more'))).not.toBe('a')
  })

  it('puts what was confirmed earlier first, whatever time it says it has', () => {
    const early = instance('confirmed first', {}, { confirmedHeight: 10, time: 9999 })
    const backdated = fleet.map((vm) => ({ ...vm, confirmedHeight: 11, time: 1 }))
    expect(planFor([...backdated, early]).placed.has(early.hash)).toBe(true)
    expect(planFor([...backdated, { ...early, confirmedHeight: null, time: 0 }]).placed.has(early.hash)).toBe(
      false,
    )
  })

  it('moves only what was on a node that fell out', () => {
    const vms = fleet.slice(0, 12)
    const before = placesOf(planFor(vms))
    const assigned = new Map([...before].filter(([, node]) => node !== 'b'))
    const after = placesOf(
      planFor(vms, { assigned, refuse: (node) => (node.hash === 'b' ? 'node_unhealthy' : null) }),
    )
    expect([...after.keys()].sort()).toEqual(
      [...before]
        .filter(([, node]) => node === 'b')
        .map(([vm]) => vm)
        .sort(),
    )
    expect([...after.values()]).not.toContain('b')
  })

  it('counts a function only against its size, as nobody may be calling it', () => {
    const uses = { vcpus: 4, memoryMib: 2048, diskMib: 0, pool: 'program' as const, isResident: false }
    const functions = fleet.map((vm) => ({ ...vm, requirements: { ...noRequirements, uses } }))
    expect(planFor(functions).placed.size).toBe(fleet.length)
    const tooLarge = instance('huge', { uses: { ...uses, memoryMib: 2049 } })
    expect(planFor([tooLarge]).unschedulable.get(tooLarge.hash)).toEqual({ memory: 6 })
  })
})

describe('what nodes can do', () => {
  const special = new Map([
    report('a', { arch: 'aarch64' }),
    report('b', { vendor: 'GenuineIntel', features: ['avx512f'] }),
    report('c', { gpus: [{ device_id: '10de:2204', count: 2 }] }),
    report('d', { tee: { sev: true } }),
    report('e', { tee: { sev_snp: { supported_vcpu_types: ['EPYC-v4'] } } }),
  ])

  it.each<[string, Partial<VmRequirements>, Record<string, string | null>]>([
    ['an ARM processor', { architecture: 'arm64' }, { a: null, b: 'arch', f: 'no_report' }],
    ['a vendor', { cpuVendor: 'genuineintel' }, { a: 'cpu_vendor', b: null }],
    ['a feature of the processor', { cpuFeatures: ['avx512f'] }, { a: 'cpu_features', b: null }],
    ['another hypervisor', { hypervisor: 'firecracker' }, { a: 'hypervisor', f: null }],
    ['two cards', { gpus: ['10de:2204', '10de:2204'] }, { b: 'gpu', c: null, f: 'no_report' }],
    ['three cards', { gpus: Array(3).fill('10de:2204') }, { c: 'gpu' }],
    ['legacy SEV', { confidential: 'sev' }, { a: 'confidential', d: null, e: 'confidential' }],
    [
      'SEV-SNP on the usual processor',
      { confidential: 'sev_snp' },
      { d: 'confidential', e: 'tee_vcpu_type' },
    ],
    ['SEV-SNP on another', { confidential: 'sev_snp', teeVcpuTypes: ['EPYC', 'EPYC-v4'] }, { e: null }],
    ['nothing special', {}, { a: null, b: null, c: null, d: null, e: null, f: null }],
  ])('decides who takes a VM that needs %s', (_, demand, expected) => {
    const verdicts = explainPlacement({ ...noRequirements, ...demand }, corechannel, {
      reports: special,
      ledger: planNetwork({ vms: [], corechannel, reports: special, assigned: new Map() }).ledger,
    })
    expect(
      Object.fromEntries(verdicts.map(({ computeNode, reason }) => [computeNode, reason])),
    ).toMatchObject(expected)
  })

  it.each<[string | undefined, string | null]>([
    ['2a01:4f8:110:142e::/64', null],
    ['2a01:4f8:110:142e::/56', null],
    ['2a01:4f8:110:142e::/80', 'ipv6_pool'],
    ['2a01:4f8:110:142e::', 'ipv6_pool'],
    ['fc00:1:2:3::/64', 'ipv6_pool'],
    ['2001:db8::/64', 'ipv6_pool'],
    ['fe80::/64', 'ipv6_pool'],
    ['10.0.0.0/64', 'ipv6_pool'],
    ['1.1.1.1/64', 'ipv6_pool'],
    ['', 'ipv6_pool'],
    [undefined, 'ipv6_pool'],
  ])(
    'where a network asks for public addresses, a node with the pool %s is judged %s',
    (ipv6_pool, reason) => {
      const policy = { requiresIpv6Pool: true, streamChains: new Set<string>(), blacklist: new Set<string>() }
      const verdicts = explainPlacement(noRequirements, corechannel, {
        reports: new Map([report('a', { ipv6_pool })]),
        policy,
      })
      expect(verdicts[0]).toMatchObject({ computeNode: 'a', reason })
      expect(verdicts[1]).toMatchObject({ computeNode: 'b', reason: 'no_report' })
    },
  )

  it('are told of in one order: what is missing first for good, then for now', () => {
    const impossible = {
      ...noRequirements,
      architecture: 'arm64' as const,
      cpuVendor: 'GenuineIntel',
      cpuFeatures: ['none'],
      hypervisor: 'firecracker' as const,
      confidential: 'sev' as const,
      gpus: ['10de:0'],
      termsAndConditions: 'terms',
      streamReceiver: '0x1',
      uses: { vcpus: 99, memoryMib: 1e9, diskMib: 1e9, pool: 'instance' as const, isResident: true },
    }
    const mended: [string, Partial<VmRequirements>][] = [
      ['arch', { architecture: null }],
      ['cpu_vendor', { cpuVendor: null }],
      ['cpu_features', { cpuFeatures: [] }],
      ['hypervisor', { hypervisor: null }],
      ['confidential', { confidential: null }],
      ['gpu', { gpus: [] }],
      ['terms_and_conditions', { termsAndConditions: null }],
      ['payment_chain', { streamReceiver: null }],
      ['vcpus', { uses: { ...impossible.uses, vcpus: 1 } }],
      ['memory', { uses: { ...impossible.uses, vcpus: 1, memoryMib: 1 } }],
      ['disk', { uses: { ...impossible.uses, vcpus: 1, memoryMib: 1, diskMib: 1 } }],
    ]
    const policy = {
      requiresIpv6Pool: false,
      streamChains: new Set<string>(),
      blacklist: new Set(['a']),
    }
    const reasonOf = (demand: VmRequirements) =>
      explainPlacement(demand, corechannel, {
        reports,
        ledger: new CapacityLedger(reports),
        policy,
      })[0]!.reason
    let demand: VmRequirements = impossible
    for (const [reason, change] of mended) {
      expect(reasonOf(demand)).toBe(reason)
      demand = { ...demand, ...change }
    }
    expect(reasonOf(demand)).toBe('blacklist')
  })

  it('gives each card once', () => {
    const vms = ['one', 'two', 'three'].map((name) => instance(name, { gpus: ['10de:2204'] }))
    const plan = planFor(vms, { reports: special })
    expect([...placesOf(plan).values()]).toEqual(['c', 'c'])
    expect(plan.unschedulable.size).toBe(1)
  })
})
