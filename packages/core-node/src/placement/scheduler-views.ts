import type { CapacityReport, ComputeNode, SchedulerNode, SchedulerVm } from '@aleph-ts/protocol'
import type { EndedVm } from './ended-vms.ts'
import type { Placement } from './placement.ts'
import type { Workload, WorkloadKind } from './workloads.ts'

export const vmTypeOf = {
  on_demand_program: 'micro_vm',
  persistent_program: 'persistent_program',
  instance: 'instance',
  v_program: 'v_program',
} as const satisfies Record<WorkloadKind, SchedulerVm['vm_type']>

/** The scheduler's word for a payment in credits. */
const paymentNames: Record<string, string> = { credit: 'credits' }

/** A VM as clients of the scheduler read it (protocol 06 §7.2). */
export function schedulerVm(workload: Workload, placement: Placement): SchedulerVm {
  const { requirements, kind, gpus } = workload
  const assignment = placement.assignmentOf(workload.hash)
  const seenOn = placement.watch.nodesWith(workload.hash)
  return {
    vm_hash: workload.hash,
    vm_type: vmTypeOf[kind],
    allocated_node: assignment?.computeNode ?? null,
    allocated_at: assignment ? isoTime(assignment.since) : null,
    observed_nodes: seenOn,
    last_observed_at: lastObserved(seenOn, placement),
    status: statusOf(workload, placement, seenOn),
    scheduling_status: assignment
      ? 'scheduled'
      : isUnschedulable(workload, placement)
        ? 'unschedulable'
        : null,
    requirements_vcpus: requirements.uses.vcpus,
    requirements_memory_mb: requirements.uses.memoryMib,
    requirements_disk_mb: requirements.uses.diskMib,
    payment_type: paymentNames[workload.paymentType] ?? workload.paymentType,
    // What is not paid is suspended by its core nodes and no workload any more.
    payment_status: 'validated',
    requires_confidential: requirements.confidential !== null,
    gpu_requirements: gpus.map((gpu) => ({ ...gpu })),
    cpu_architecture: requirements.architecture,
    cpu_vendor: requirements.cpuVendor,
    cpu_features: requirements.cpuFeatures,
    migration_target: assignment?.target ?? null,
    migration_started_at: null,
    owner: workload.owner,
    sender: workload.sender,
    updated_at: isoTime(assignment?.since ?? workload.time),
  }
}

/** A VM that is wanted no more, as clients of the scheduler read it (protocol 06 §7.2). */
export function endedSchedulerVm(vm: EndedVm, placement: Placement): SchedulerVm {
  const seenOn = placement.watch.nodesWith(vm.hash)
  return {
    vm_hash: vm.hash,
    vm_type: vm.type,
    allocated_node: null,
    allocated_at: null,
    observed_nodes: seenOn,
    last_observed_at: lastObserved(seenOn, placement),
    status: seenOn.length > 0 ? 'orphaned' : 'unscheduled',
    scheduling_status: 'unscheduled',
    requirements_vcpus: null,
    requirements_memory_mb: null,
    requirements_disk_mb: null,
    payment_type: vm.paymentType && (paymentNames[vm.paymentType] ?? vm.paymentType),
    payment_status: vm.isUnpaid ? 'invalidated' : null,
    requires_confidential: false,
    gpu_requirements: [],
    cpu_architecture: null,
    cpu_vendor: null,
    cpu_features: [],
    migration_target: null,
    migration_started_at: null,
    owner: vm.owner,
    sender: vm.sender,
    updated_at: (vm.endedAt ?? new Date()).toISOString(),
  }
}

function lastObserved(seenOn: string[], placement: Placement): string | null {
  if (seenOn.length === 0) return null
  return new Date(Math.max(...seenOn.map((node) => placement.watch.seen(node)?.at ?? 0))).toISOString()
}

/** A compute node as clients of the scheduler read it (protocol 06 §7.2). */
export function schedulerNode(node: ComputeNode, placement: Placement): SchedulerNode {
  const { ledger, reports, assignments } = placement.current
  const report = reports.get(node.hash)
  const free = ledger.free(node.hash)
  const observed = placement.watch.seen(node.hash)
  const memoryOf = (program: number | undefined, instance: number | undefined) =>
    program === undefined || instance === undefined ? null : program + instance
  return {
    node_hash: node.hash,
    name: node.name,
    owner: node.owner,
    address: node.address,
    status: observed === undefined ? 'Unknown' : observed.secondsAway > 0 ? 'Unreachable' : 'Healthy',
    staked: node.status === 'linked',
    vcpus_total: report?.caps.vcpus ?? null,
    memory_total_mb: memoryOf(report?.caps.program_memory_mib, report?.caps.instance_memory_mib),
    disk_total_mb: report?.caps.disk_mib ?? null,
    vcpus_available: free?.vcpus ?? null,
    memory_available_mb: memoryOf(free?.programMemoryMib, free?.instanceMemoryMib),
    disk_available_mb: free?.diskMib ?? null,
    supports_ipv6: report ? report.ipv6_pool !== undefined : null,
    confidential_computing_enabled: report?.tee !== undefined,
    cpu_architecture: report?.arch ?? null,
    cpu_vendor: report?.vendor ?? null,
    cpu_features: report?.features ?? [],
    gpus: cardsOf(report, ledger.cardsInUse(node.hash)),
    payment_receiver: report?.payment_receiver ?? null,
    vm_count: assignments
      .values()
      .filter(({ computeNode }) => computeNode === node.hash)
      .toArray().length,
    discovered_at: isoTime(node.time),
    updated_at: observed ? new Date(observed.at).toISOString() : isoTime(node.time),
  }
}

/** The cards of a node, by whether a VM has them. */
function cardsOf(report: CapacityReport | undefined, inUse: ReadonlyMap<string, number>) {
  const cards = (report?.gpus ?? []).map((card) => {
    const used = Math.min(card.count, inUse.get(card.device_id) ?? 0)
    return { used: { ...card, count: used }, available: { ...card, count: card.count - used } }
  })
  return {
    used: cards.map(({ used }) => used).filter(({ count }) => count > 0),
    available: cards.map(({ available }) => available).filter(({ count }) => count > 0),
  }
}

/** @param seenOn compute nodes on which the VM was seen */
function statusOf(workload: Workload, placement: Placement, seenOn: string[]): SchedulerVm['status'] {
  const assignment = placement.assignmentOf(workload.hash)
  if (!assignment) {
    if (seenOn.length > 0) return 'orphaned'
    return isUnschedulable(workload, placement) ? 'unschedulable' : 'unknown'
  }
  if (assignment.target !== undefined) return 'migrating'
  if (seenOn.includes(assignment.computeNode)) return seenOn.length > 1 ? 'duplicated' : 'dispatched'
  if (seenOn.length > 0) return 'misplaced'
  const observed = placement.watch.seen(assignment.computeNode)
  if (!observed) return 'scheduled'
  // A function that nobody calls does not run, and is where it should be all the same.
  const isExpected = workload.kind !== 'on_demand_program'
  const isGone = observed.secondsAway > 0 || placement.watch.wasSeen(workload.hash, assignment.computeNode)
  return isExpected && isGone ? 'missing' : 'scheduled'
}

function isUnschedulable({ hash }: Workload, placement: Placement): boolean {
  return Object.keys(placement.homelessReasons(hash) ?? {}).length > 0
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
