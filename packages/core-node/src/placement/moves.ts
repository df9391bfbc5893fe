import { type CapacityLedger, type ComputeNode, type CorechannelAggregate, placeVm } from '@aleph-ts/protocol'
import type { Assignment, Plan } from './plan.ts'

/** A VM that leaves its compute node. */
export interface Move {
  assignment: Assignment
  /** Another compute node of ours; null: to whichever core node comes next. */
  to: string | null
}

export interface MoveInputs {
  plan: Pick<Plan, 'assignments' | 'reports' | 'ledger'>
  corechannel: CorechannelAggregate
  /** Core nodes that this process acts for. */
  coreNodes: ReadonlySet<string>
  /** Our compute nodes that are to be emptied. */
  leaving: ReadonlySet<string>
  /** VMs that are on their way already. */
  underway: ReadonlySet<string>
  refuse: (node: ComputeNode, vmHash: string) => string | null
}

/** So many VMs of one node move at a time (protocol 06 §8.6). */
const mostAtOnce = 2

/**
 * What moves next from compute nodes that are to be emptied. What fits nowhere else stays, and so does an instance that
 * fits on no other compute node of ours, for its disks can only go there. What its owner bound to a node stays, too.
 */
export function planMoves(inputs: MoveInputs): Move[] {
  const { plan, coreNodes, leaving, underway } = inputs
  const moves: Move[] = []
  const busy = new Map<string, number>()
  const own = [...plan.assignments.values()].filter(
    ({ coreNode, computeNode }) => coreNodes.has(coreNode) && leaving.has(computeNode),
  )
  for (const { workload, computeNode } of own) {
    if (underway.has(workload.hash)) busy.set(computeNode, (busy.get(computeNode) ?? 0) + 1)
  }
  for (const assignment of own) {
    const { computeNode, workload } = assignment
    const count = busy.get(computeNode) ?? 0
    if (underway.has(workload.hash) || count >= mostAtOnce || !isMovable(assignment)) continue
    const to = destination(assignment, inputs)
    if (to === undefined) continue
    moves.push({ assignment, to })
    busy.set(computeNode, count + 1)
  }
  return moves
}

/** Confidential, pinned and stream-paid VMs, and those with cards, are never moved by anybody but their owner. */
function isMovable({ workload: { requirements } }: Assignment): boolean {
  const { nodeHash, streamReceiver, gpus, confidential } = requirements
  return nodeHash === null && streamReceiver === null && confidential === null && gpus.length === 0
}

/** Where a VM can go; undefined when it has to stay. */
function destination(
  { workload }: Assignment,
  { plan, corechannel, coreNodes, leaving, refuse }: MoveInputs,
): string | null | undefined {
  const ledger: CapacityLedger = plan.ledger
  const place = placeVm(workload.hash, workload.requirements, corechannel, {
    reports: plan.reports,
    ledger,
    refuse: (node) => (leaving.has(node.hash) ? 'node_draining' : refuse(node, workload.hash)),
  })
  if ('unschedulable' in place) return undefined
  const to = place.candidates.find(({ coreNode }) => coreNodes.has(coreNode))?.computeNodes[0]
  if (to === undefined) return workload.kind === 'instance' ? undefined : null
  ledger.reserve(to, workload.requirements)
  return to
}
