import { seededRandom } from '@aleph-ts/core-node/testing'
import {
  CapacityLedger,
  type CapacityReport,
  type CorechannelAggregate,
  capacityReportSchema,
  corechannelSchema,
  noRequirements,
  type PlannedVm,
  planNetwork,
  sha256Hex,
} from '@aleph-ts/protocol'
import { spread } from './statistics.ts'

const minutes = 60
const failuresPerHour = 0.05

/**
 * A day's worth of trouble in a network of the size to come: how long a plan takes when nothing has changed, when some
 * compute nodes have failed since the last minute, and for one VM more; and how well VMs are spread.
 */
export async function benchPlacement({ coreNodes = 1_000, computeNodes = 3_000, vms = 100_000 } = {}) {
  const random = seededRandom(7)
  const { corechannel, reports } = network(coreNodes, computeNodes, random)
  const fleet = Array.from({ length: vms }, (_, index) => vm(index, random))
  const assigned = scatter(fleet, corechannel, reports, random)
  const before = assigned.size

  const unchanged = timed(() => planNetwork({ vms: fleet, corechannel, reports, assigned }))
  const oneMore = Array.from({ length: 20 }, (_, index) =>
    timed(() => planNetwork({ vms: [vm(vms + index, random)], corechannel, reports, assigned: new Map() })),
  )

  const times: number[] = []
  const down = new Set<string>()
  let lost = 0
  let moved = 0
  for (let minute = 0; minute < minutes; minute++) {
    for (const node of corechannel.resource_nodes) {
      if (random() < failuresPerHour / minutes) down.add(node.hash)
    }
    for (const [vmHash, node] of assigned) if (down.has(node)) lost += Number(assigned.delete(vmHash))
    const { ms, result } = timed(() =>
      planNetwork({
        vms: fleet,
        corechannel,
        reports,
        assigned,
        refuse: (node) => (down.has(node.hash) ? 'node_unhealthy' : null),
      }),
    )
    times.push(ms)
    for (const [vmHash, { computeNode }] of result.placed) assigned.set(vmHash, computeNode)
    moved += result.placed.size
  }
  const full = overfull(vms, corechannel, reports, random)
  return {
    'core nodes': coreNodes,
    'compute nodes': computeNodes,
    VMs: vms,
    'placed before': before,
    'plan when nothing changed, ms': Math.round(unchanged.ms),
    'one VM more, ms': spread(oneMore.map(({ ms }) => ms)),
    'plan of a minute with failures, ms': spread(times),
    'compute nodes that failed': down.size,
    'VMs on them': lost,
    'VMs placed anew': moved,
    'VMs without a place at the end': fleet.length - assigned.size,
    'plan of a network that is full, ms': Math.round(full.ms),
    'VMs that fit nowhere in it': full.result.unschedulable.size,
    'vcpus in use per node, of what it has': fillOf(assigned, fleet, reports, down),
  }
}

/** All nodes are taken by one VM each, and a tenth of all VMs wants to run besides. */
function overfull(
  vms: number,
  corechannel: CorechannelAggregate,
  reports: Map<string, CapacityReport>,
  random: () => number,
) {
  const fleet: PlannedVm[] = []
  const assigned = new Map<string, string>()
  for (const [node, { caps }] of reports) {
    const hash = sha256Hex(`all of ${node}`)
    const uses = { vcpus: caps.vcpus, memoryMib: 0, diskMib: 0, pool: 'instance' as const, isResident: true }
    fleet.push({ hash, requirements: { ...noRequirements, uses }, confirmedHeight: 0, time: 0 })
    assigned.set(hash, node)
  }
  for (let index = 0; index < vms / 10; index++) fleet.push(vm(index, random))
  return timed(() => planNetwork({ vms: fleet, corechannel, reports, assigned }))
}

function network(coreNodes: number, computeNodes: number, random: () => number) {
  const scoreOf = () => 0.3 + 0.7 * random()
  const corechannel: CorechannelAggregate = corechannelSchema.parse({
    nodes: Array.from({ length: coreNodes }, (_, index) => ({
      hash: sha256Hex(`core ${index}`),
      owner: `0x${index}`,
      status: 'active',
      score: scoreOf(),
    })),
    resource_nodes: Array.from({ length: computeNodes }, (_, index) => ({
      hash: sha256Hex(`compute ${index}`),
      owner: `0x${index}`,
      status: 'linked',
      parent: sha256Hex(`core ${index % coreNodes}`),
      score: scoreOf(),
    })),
  })
  const reports = new Map<string, CapacityReport>()
  for (const { hash } of corechannel.resource_nodes) {
    const cores = 16 * 2 ** Math.floor(random() * 3)
    // Room for all VMs and for those of nodes that fail: a VM that fits nowhere is looked at in every plan.
    const memory = cores * 8192
    const caps = {
      vcpus: cores * 4,
      instance_memory_mib: memory,
      program_memory_mib: memory / 4,
      disk_mib: cores * 100_000,
    }
    reports.set(hash, capacityReportSchema.parse({ node_hash: hash, arch: 'x86_64', caps }))
  }
  return { corechannel, reports }
}

function vm(index: number, random: () => number): PlannedVm {
  const units = 2 ** Math.floor(random() * 3)
  const uses = {
    vcpus: units,
    memoryMib: units * 2048,
    diskMib: units * 20_480,
    pool: 'instance' as const,
    isResident: true,
  }
  return {
    hash: sha256Hex(`vm ${index}`),
    requirements: { ...noRequirements, uses },
    confirmedHeight: index,
    time: index,
  }
}

/** Every VM on some node with room for it, as years of operation may have left them. */
function scatter(
  fleet: PlannedVm[],
  { resource_nodes }: CorechannelAggregate,
  reports: Map<string, CapacityReport>,
  random: () => number,
): Map<string, string> {
  const ledger = new CapacityLedger(reports)
  const assigned = new Map<string, string>()
  for (const { hash, requirements } of fleet) {
    for (let attempt = 0; attempt < 20; attempt++) {
      const node = resource_nodes[Math.floor(random() * resource_nodes.length)]!.hash
      if (ledger.refusal(node, requirements) !== null) continue
      ledger.reserve(node, requirements)
      assigned.set(hash, node)
      break
    }
  }
  return assigned
}

function fillOf(
  assigned: Map<string, string>,
  fleet: PlannedVm[],
  reports: Map<string, CapacityReport>,
  down: Set<string>,
) {
  const used = new Map<string, number>()
  for (const { hash, requirements } of fleet) {
    const node = assigned.get(hash)
    if (node !== undefined) used.set(node, (used.get(node) ?? 0) + requirements.uses.vcpus)
  }
  const shares = [...reports].flatMap(([hash, { caps }]) =>
    down.has(hash) ? [] : [(100 * (used.get(hash) ?? 0)) / caps.vcpus],
  )
  return Object.fromEntries(Object.entries(spread(shares)).map(([name, share]) => [name, `${share} %`]))
}

function timed<T>(work: () => T): { ms: number; result: T } {
  const started = performance.now()
  const result = work()
  return { ms: performance.now() - started, result }
}
