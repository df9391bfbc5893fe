import { type ComputeNode, type CorechannelAggregate, placeVm } from '@aleph-ts/protocol'
import type { Assignment, Plan } from './plan.ts'

/** A VM that leaves its compute node. */
export interface Move {
  assignment: Assignment
  /** Another compute node; null: to whichever core node comes next. */
  to: string | null
}

export interface MoveInputs {
  plan: Pick<Plan, 'assignments' | 'reports' | 'policy' | 'ledger'>
  corechannel: CorechannelAggregate
  /** Core nodes that this process acts for. */
  coreNodes: ReadonlySet<string>
  /** Our compute nodes that are to be emptied. */
  leaving: Pick<ReadonlySet<string>, 'has'>
  /** VMs that do not fit their compute nodes any more. */
  unfit: Pick<ReadonlySet<string>, 'has'>
  /** Where owners want their VMs: VM → compute node. */
  wanted: ReadonlyMap<string, string>
  /** VMs that are on their way already. */
  underway: Pick<ReadonlySet<string>, 'has'>
  refuse: (node: ComputeNode, vmHash: string) => string | null
}

/** So many VMs of one node move at a time (protocol 06 §8.6). */
const mostAtOnce = 2

/**
 * What moves next: to where owners want it, and what has to leave its compute node to another one of ours if it fits
 * there. Else a program is given up to the next core node, and an instance, whose disks must come along, goes to a
 * compute node of another core node. What fits nowhere stays, and so does what its owner bound to a node.
 */
export function planMoves(inputs: MoveInputs): Move[] {
  const { plan, coreNodes, underway, wanted } = inputs
  const moves: Move[] = []
  const busy = new Map<string, number>()
  const own = [...plan.assignments.values()].filter((assignment) => {
    const { coreNode, computeNode, workload } = assignment
    const isElsewhereWanted = (wanted.get(workload.hash) ?? computeNode) !== computeNode
    return coreNodes.has(coreNode) && (isSentAway(assignment, inputs) || isElsewhereWanted)
  })
  for (const { workload, computeNode } of own) {
    if (underway.has(workload.hash)) busy.set(computeNode, (busy.get(computeNode) ?? 0) + 1)
  }
  for (const assignment of own) {
    const { computeNode, workload } = assignment
    const count = busy.get(computeNode) ?? 0
    if (underway.has(workload.hash) || count >= mostAtOnce) continue
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

/** Whether a VM has to leave, be it that its compute node is emptied or that it does not fit there any more. */
function isSentAway(
  { computeNode, workload }: Assignment,
  { leaving, unfit }: Pick<MoveInputs, 'leaving' | 'unfit'>,
): boolean {
  return leaving.has(computeNode) || unfit.has(workload.hash)
}

/** Where a VM can go, if it may where its owner wants it; undefined when it has to stay. */
function destination(assignment: Assignment, inputs: MoveInputs): string | null | undefined {
  const { workload, computeNode } = assignment
  const { plan, coreNodes, wanted } = inputs
  const wish = wanted.get(workload.hash) ?? computeNode
  const isWished = wish !== computeNode && workload.requirements.confidential === null
  const wished = isWished ? candidates(assignment, inputs, wish) : []
  const isSent = wished.length === 0 && isSentAway(assignment, inputs) && isMovable(assignment)
  const found = isSent ? candidates(assignment, inputs) : wished
  if (found.length === 0) return undefined
  const own = found.find(({ coreNode }) => coreNodes.has(coreNode))
  // A program that is given up is placed by the ranking, not by the wish.
  if (!own && workload.kind !== 'instance') return isSent ? null : undefined
  const to = (own ?? found[0])!.computeNodes[0]!
  plan.ledger.reserve(to, workload.requirements)
  return to
}

/** @param only the one compute node that is asked for */
function candidates({ workload, computeNode }: Assignment, inputs: MoveInputs, only?: string) {
  const { plan, corechannel, leaving, refuse } = inputs
  const place = placeVm(workload.hash, workload.requirements, corechannel, {
    reports: plan.reports,
    policy: plan.policy,
    ledger: plan.ledger,
    refuse(node) {
      if (leaving.has(node.hash) || node.hash === computeNode) return 'node_draining'
      if (only !== undefined && node.hash !== only) return 'not_asked_for'
      return refuse(node, workload.hash)
    },
  })
  return 'unschedulable' in place ? [] : place.candidates
}
