import { CapacityLedger, capabilityReason, type PlannedVm } from '@aleph-ts/protocol'
import type { Assignment, Plan } from './plan.ts'

/** What a node says of itself may be wrong for a moment, as when it starts. */
const patienceSeconds = 900

/**
 * VMs that do not fit their compute node any more, because it can do or carry less than it did: of too many, the newest
 * (protocol 06 §8.6).
 */
export class UnfitVms {
  readonly #patienceSeconds: number
  readonly #since = new Map<string, number>()

  constructor(options: { patienceSeconds?: number } = {}) {
    this.#patienceSeconds = options.patienceSeconds ?? patienceSeconds
  }

  /**
   * Looks at the VMs of some compute nodes.
   *
   * @param now epoch seconds
   * @returns those that have not fitted for long, with the reason
   */
  look(
    plan: Pick<Plan, 'assignments' | 'reports' | 'policy'>,
    nodes: ReadonlySet<string>,
    now: number,
  ): ReadonlyMap<string, string> {
    const reasons = reasonsAgainst(plan, nodes)
    for (const vm of this.#since.keys()) if (!reasons.has(vm)) this.#since.delete(vm)
    for (const vm of reasons.keys()) if (!this.#since.has(vm)) this.#since.set(vm, now)
    return new Map([...reasons].filter(([vm]) => now - this.#since.get(vm)! >= this.#patienceSeconds))
  }
}

function reasonsAgainst(
  { assignments, reports, policy }: Pick<Plan, 'assignments' | 'reports' | 'policy'>,
  nodes: ReadonlySet<string>,
): Map<string, string> {
  const ledger = new CapacityLedger(reports)
  const reasons = new Map<string, string>()
  const placed = [...assignments.values()].filter(({ computeNode }) => nodes.has(computeNode))
  for (const { workload, computeNode } of placed.sort(oldestFirst)) {
    const { hash, requirements } = workload
    const report = reports.get(computeNode)
    if (!report) continue
    const reason = capabilityReason(report, requirements, policy) ?? ledger.refusal(computeNode, requirements)
    if (reason === null) ledger.reserve(computeNode, requirements)
    else reasons.set(hash, reason)
  }
  return reasons
}

/** In the order in which plans give places. */
function oldestFirst({ workload: a }: Assignment, { workload: b }: Assignment): number {
  const height = (vm: PlannedVm) => vm.confirmedHeight ?? Number.MAX_SAFE_INTEGER
  return height(a) - height(b) || a.time - b.time || (a.hash < b.hash ? -1 : 1)
}
