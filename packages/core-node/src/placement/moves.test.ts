import {
  CapacityLedger,
  capacityReportSchema,
  corechannelSchema,
  devnetProfile,
  noRequirements,
  placementPolicy,
  sha256Hex,
  type VmRequirements,
} from '@aleph-ts/protocol'
import { expect, test } from 'vitest'
import { planMoves } from './moves.ts'
import type { Assignment } from './plan.ts'
import { UnfitVms } from './unfit-vms.ts'
import type { Workload, WorkloadKind } from './workloads.ts'

const nodes = ['old', 'new', 'third', 'foreign']
const corechannel = corechannelSchema.parse({
  nodes: ['us', 'them'].map((hash) => ({ hash, owner: hash, status: 'active' })),
  resource_nodes: nodes.map((hash) => ({
    hash,
    owner: 'us',
    status: 'linked',
    parent: hash === 'foreign' ? 'them' : 'us',
  })),
})

function on(
  node: string,
  index: number,
  kind: WorkloadKind,
  demand: Partial<VmRequirements> = {},
): Assignment {
  const uses = { vcpus: 1, memoryMib: 1024, diskMib: 1024, pool: 'instance' as const, isResident: true }
  const workload: Workload = {
    hash: sha256Hex(`vm ${index}`),
    kind,
    owner: 'user',
    sender: 'user',
    paymentType: 'hold',
    paymentChain: null,
    gpus: [],
    requirements: { ...noRequirements, uses, ...demand },
    confirmedHeight: null,
    time: index,
  }
  return { workload, coreNode: 'us', computeNode: node, since: 0 }
}

/** @param room vcpus of each node */
function moves(
  assignments: Assignment[],
  room: Record<string, number>,
  underway: string[] = [],
  wanted = new Map<string, string>(),
  unfit: string[] = [],
) {
  const reports = new Map(
    nodes.map((node) => {
      const caps = {
        instance_memory_mib: 1e6,
        program_memory_mib: 1e6,
        disk_mib: 1e6,
        vcpus: room[node] ?? 0,
      }
      return [node, capacityReportSchema.parse({ node_hash: node, arch: 'x86_64', caps })]
    }),
  )
  const ledger = new CapacityLedger(reports)
  for (const { computeNode, workload } of assignments) ledger.reserve(computeNode, workload.requirements)
  const plan = {
    assignments: new Map(assignments.map((assignment) => [assignment.workload.hash, assignment])),
    reports,
    policy: placementPolicy(devnetProfile, {}),
    ledger,
  }
  const leaving = new Set(['old'])
  return planMoves({
    plan,
    corechannel,
    coreNodes: new Set(['us']),
    leaving,
    unfit: new Set(unfit),
    wanted,
    underway: new Set(underway),
    refuse: () => null,
  }).map(({ to }) => to)
}

test('two VMs of a node that is emptied move at a time', () => {
  const five = [0, 1, 2, 3, 4].map((index) => on('old', index, 'instance'))
  expect(moves(five, { old: 10, new: 10 })).toEqual(['new', 'new'])
  expect(moves(five, { old: 10, new: 10 }, [five[4]!.workload.hash])).toEqual(['new'])
  expect(moves([on('new', 1, 'instance')], { old: 10, new: 10 })).toEqual([])
})

test('none moves to where there is no room for it', () => {
  const two = [on('old', 0, 'instance'), on('old', 1, 'instance')]
  expect(moves(two, { old: 10, new: 1 })).toEqual(['new'])
  expect(moves(two, { old: 10 })).toEqual([])
})

test('what fits on none of ours goes to another core node, an instance with its disks', () => {
  expect(moves([on('old', 0, 'persistent_program')], { old: 1, foreign: 10 })).toEqual([null])
  expect(moves([on('old', 0, 'instance')], { old: 1, foreign: 10 })).toEqual(['foreign'])
  expect(moves([on('old', 0, 'instance')], { old: 1, new: 1, foreign: 10 })).toEqual(['new'])
})

test.each([
  ['the owner pinned to a node', { nodeHash: 'old' }],
  ['a stream pays', { streamReceiver: '0x1' }],
  ['uses cards', { gpus: ['10de:2684'] }],
  ['is confidential', { confidential: 'sev' as const }],
])('what %s stays', (_, demand) => {
  expect(moves([on('old', 0, 'instance', demand)], { old: 10, new: 10 })).toEqual([])
})

test('an instance goes to where its owner wants it, if it may', () => {
  const vm = on('new', 0, 'instance')
  const to = (node: string, room: Record<string, number>) =>
    moves([vm], { new: 10, ...room }, [], new Map([[vm.workload.hash, node]]))
  expect(to('third', { third: 1 })).toEqual(['third'])
  expect(to('third', {})).toEqual([])
  expect(to('foreign', { foreign: 10 })).toEqual(['foreign'])
  expect(to('old', { old: 10 })).toEqual([])
  expect(to('new', { third: 1 })).toEqual([])
})

test('what cannot go to where its owner wants it leaves a node that is emptied all the same', () => {
  const vm = on('old', 0, 'instance')
  expect(moves([vm], { old: 10, new: 10 }, [], new Map([[vm.workload.hash, 'nowhere']]))).toEqual(['new'])
})

test('what does not fit its compute node any more goes to another one, or stays where there is none', () => {
  const [older, newer] = [on('new', 0, 'instance'), on('new', 1, 'instance')]
  const unfit = [newer.workload.hash]
  expect(moves([older, newer], { new: 1, third: 1 }, [], new Map(), unfit)).toEqual(['third'])
  expect(moves([older, newer], { new: 1 }, [], new Map(), unfit)).toEqual([])
})

test('of too many VMs the newest do not fit, once that has been so for long', () => {
  const vms = [0, 1, 2].map((index) => on('new', index, 'instance'))
  const plan = (vcpus: number, more: object = {}) => {
    const caps = { vcpus, instance_memory_mib: 1e6, program_memory_mib: 1e6, disk_mib: 1e6 }
    return {
      assignments: new Map(vms.toReversed().map((vm) => [vm.workload.hash, vm])),
      reports: new Map([
        ['new', capacityReportSchema.parse({ node_hash: 'new', arch: 'x86_64', caps, ...more })],
      ]),
      policy: placementPolicy(devnetProfile, {}),
    }
  }
  const nodes = new Set(['new'])
  const unfit = new UnfitVms({ patienceSeconds: 100 })
  expect(unfit.look(plan(3), nodes, 0).size).toBe(0)
  expect(unfit.look(plan(2), nodes, 10).size).toBe(0)
  expect([...unfit.look(plan(2), nodes, 110)]).toEqual([[vms[2]!.workload.hash, 'vcpus']])
  // It was only for a moment.
  expect(unfit.look(plan(0), nodes, 111).size).toBe(1)
  expect(unfit.look(plan(3), nodes, 112).size).toBe(0)
  expect(unfit.look(plan(2), nodes, 113).size).toBe(0)
  expect(unfit.look({ ...plan(0), reports: new Map() }, nodes, 500).size).toBe(0)
})
