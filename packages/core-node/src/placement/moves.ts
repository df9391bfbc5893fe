import { type CapacityLedger, type ComputeNode, type CorechannelAggregate, placeVm } from '@aleph-ts/protocol'
import type { Assignment, Plan } from './plan.ts'

/** A VM that leaves its compute node. */
export interface Move {
  assignment: Assignment
  /** Another compute node; null: to whichever core node comes next. */
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
  underway: Pick<ReadonlySet<string>, 'has'>
  refuse: (node: ComputeNode, vmHash: string) => string | null
}

/** So many VMs of one node move at a time (protocol 06 §8.6). */
const mostAtOnce = 2

/**
 * What moves next from compute nodes that are to be emptied, to other ones of ours if it fits there. Else a program is
 * given up to the next core node, and an instance, whose disks must come along, goes to a compute node of another core
 * node. What fits nowhere stays, and so does what its owner bound to a node.
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
export function isMovable({ workload: { requirements } }: Assignment): boolean {
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
  const own = place.candidates.find(({ coreNode }) => coreNodes.has(coreNode))
  if (!own && workload.kind !== 'instance') return null
  const to = own?.computeNodes[0] ?? place.computeNode
  ledger.reserve(to, workload.requirements)
  return to
}
