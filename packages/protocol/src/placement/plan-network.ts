import type { ComputeNode, CorechannelAggregate } from '../aggregates/corechannel.ts'
import { CapacityLedger } from './capacity-ledger.ts'
import type { CapacityReport } from './capacity-report.ts'
import { DemandVerdicts } from './demand-verdicts.ts'
import { type Placed, placeVmAmong, topologyOf } from './place-vm.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import type { VmRequirements } from './vm-requirements.ts'

/** A VM that wants to run. */
export interface PlannedVm {
  hash: string
  requirements: VmRequirements
  /** Ethereum height of its first confirmation; null while there is none. */
  confirmedHeight: number | null
  /** `content.time`, epoch seconds. */
  time: number
}

export interface NetworkPlanInputs {
  vms: readonly PlannedVm[]
  corechannel: CorechannelAggregate
  /** Newest capacity report by compute node. */
  reports: ReadonlyMap<string, CapacityReport>
  /** Compute node by VM hash, as it was; only what still holds. */
  assigned: ReadonlyMap<string, string>
  /** What the network asks of compute nodes; without, nothing. */
  policy?: PlacementPolicy
  /** A further reason against a compute node for a VM, or null. */
  refuse?(node: ComputeNode, vmHash: string): string | null
}

export interface NetworkPlan {
  /** Where the VMs go that had no place, by VM hash. */
  placed: Map<string, Placed>
  /** For VMs that fit nowhere: how many compute nodes failed on each reason. */
  unschedulable: Map<string, Record<string, number>>
  /** What is left when all of this runs. */
  ledger: CapacityLedger
}

/**
 * Finds a place for every VM that has none (protocol 06 §8.3). What has a place keeps it, whatever a fresh plan would
 * say. The others come in the order in which a chain confirmed them, so that nobody can push in with an earlier time.
 */
export function planNetwork(inputs: NetworkPlanInputs): NetworkPlan {
  const { vms, corechannel, reports, assigned, policy, refuse } = inputs
  const topology = topologyOf(corechannel)
  const ledger = new CapacityLedger(reports)
  const verdicts = new DemandVerdicts(topology, { reports, ledger, ...(policy && { policy }) })
  const plan: NetworkPlan = { placed: new Map(), unschedulable: new Map(), ledger }
  const homeless: PlannedVm[] = []
  for (const vm of vms) {
    const node = assigned.get(vm.hash)
    if (node === undefined) homeless.push(vm)
    else ledger.reserve(node, vm.requirements)
  }
  for (const { hash, requirements } of homeless.sort(byConfirmation)) {
    const refuseIt = refuse && ((node: ComputeNode) => refuse(node, hash))
    const place = placeVmAmong(hash, topology, verdicts.of(requirements), refuseIt)
    if ('unschedulable' in place) {
      plan.unschedulable.set(hash, place.unschedulable)
    } else {
      plan.placed.set(hash, place)
      verdicts.reserve(place.computeNode, requirements)
    }
  }
  return plan
}

function byConfirmation(a: PlannedVm, b: PlannedVm): number {
  const heights = (a.confirmedHeight ?? Infinity) - (b.confirmedHeight ?? Infinity)
  // Two unconfirmed ones: Infinity − Infinity is NaN.
  return heights || a.time - b.time || (a.hash < b.hash ? -1 : 1)
}
