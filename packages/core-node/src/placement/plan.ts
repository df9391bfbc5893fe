import {
  type Allocation,
  type CapacityLedger,
  type CapacityReport,
  type ComputeNode,
  type CorechannelAggregate,
  type Placed,
  type PlacementPolicy,
  placeVm,
  planNetwork,
} from '@aleph-ts/protocol'
import type { Claim } from './claims.ts'
import type { Workload } from './workloads.ts'

/** Where a workload runs. */
export interface Assignment {
  workload: Workload
  coreNode: string
  computeNode: string
  /** Epoch seconds. */
  since: number
  /** The compute node that it is on its way to. */
  target?: string
}

export interface PlanInputs {
  workloads: Workload[]
  corechannel: CorechannelAggregate
  /** What compute nodes can carry, by hash. */
  reports: ReadonlyMap<string, CapacityReport>
  /** What the network asks of compute nodes. */
  policy: PlacementPolicy
  /** Valid claims of all core nodes, less those of ours that we give up. */
  claims: Claim[]
  /** Hashes of the core nodes that this process acts for: itself, all, or none when it only watches. */
  coreNodes: ReadonlySet<string>
  /** Everything this node's owner has published as claimed. */
  published: Map<string, unknown>
  /** Epoch seconds since when this node knows that a workload has no place. */
  homelessSince: (vmHash: string) => number
  /** Why a compute node does not get a VM, as far as this node knows; null when it may. */
  refuse: (node: ComputeNode, vmHash: string) => string | null
  /** How long a better ranked core node has to claim a workload, seconds (protocol 06 §8.5). */
  turnSeconds: number
  /** Epoch seconds. */
  now: number
}

export interface Plan {
  /** By VM hash, claims of this node's own included. */
  assignments: Map<string, Assignment>
  /** What this node has to publish: a new claim, or null to release one. */
  changes: Map<string, Allocation | null>
  /** Workloads without a place, by VM hash: for each reason how many compute nodes failed on it; empty while waiting. */
  homeless: Map<string, Record<string, number>>
  /** What is left on the compute nodes. */
  ledger: CapacityLedger
  workloads: readonly Workload[]
  reports: ReadonlyMap<string, CapacityReport>
  policy: PlacementPolicy
}

const epochSeconds = 60

/**
 * What is published when a VM gets a place.
 *
 * @param now epoch seconds
 * @param rank of the core node in the ranking of the VM
 */
export function newAllocation(node: string, now: number, rank = 0): Allocation {
  return { node, epoch: epochAt(now), since: now, state: 'assigned', rank }
}

/** The epoch that a moment (epoch seconds) is in. */
export function epochAt(now: number): number {
  return Math.floor(now / epochSeconds)
}

/**
 * Decides where every workload runs and what this node has to publish (protocol 06 §8.3 and §8.5). Whoever claimed a
 * workload keeps it, or hands it over; of two claims the better ranked core node's wins; one without a claim goes to the first ranked
 * core node, and to the next ones when that stays silent.
 */
export function plan(inputs: PlanInputs): Plan {
  const { workloads, corechannel, reports, policy, refuse, now } = inputs
  const winners = winningClaims(inputs)
  const network = planNetwork({
    vms: workloads,
    corechannel,
    reports,
    policy,
    assigned: new Map([...winners].map(([vmHash, { computeNode }]) => [vmHash, computeNode])),
    refuse,
  })
  const { unschedulable, ledger } = network
  const result: Plan = {
    assignments: new Map(),
    changes: new Map(),
    homeless: new Map(unschedulable),
    workloads,
    reports,
    policy,
    ledger,
  }
  for (const workload of workloads) {
    const { hash } = workload
    const claim = winners.get(hash)
    if (claim) {
      const { vmHash: _, isFormer: __, ...place } = claim
      result.assignments.set(hash, { workload, ...place })
      if (isTakenOver(claim, inputs)) result.changes.set(hash, newAllocation(claim.computeNode, now))
      continue
    }
    const placed = network.placed.get(hash)
    if (!placed) continue
    const turn = ownTurn(hash, placed, inputs)
    if (turn) {
      const { coreNode, computeNode, rank } = turn
      result.assignments.set(hash, { workload, coreNode, computeNode, since: now })
      result.changes.set(hash, newAllocation(computeNode, now, rank))
    } else result.homeless.set(hash, {})
  }
  for (const vmHash of lostClaims(inputs, result)) result.changes.set(vmHash, null)
  return result
}

/** What another core node claimed on a compute node that is linked to us since then stays there, and is ours. */
function isTakenOver(
  { vmHash, coreNode, isFormer = false }: Claim,
  { coreNodes, published }: PlanInputs,
): boolean {
  return isFormer && coreNodes.has(coreNode) && !published.has(vmHash)
}

/** The claim that counts for each workload that has one: of two, the better ranked core node's. */
function winningClaims({ workloads, claims, corechannel }: PlanInputs): Map<string, Claim> {
  const claimsOf = Map.groupBy(claims, (claim) => claim.vmHash)
  const winners = new Map<string, Claim>()
  for (const workload of workloads) {
    const own = claimsOf.get(workload.hash)
    if (own) winners.set(workload.hash, winner(workload, own, corechannel))
  }
  return winners
}

function winner({ hash, requirements }: Workload, claims: Claim[], corechannel: CorechannelAggregate): Claim {
  if (claims.length === 1) return claims[0]!
  const placement = placeVm(hash, requirements, corechannel)
  const ranking = 'unschedulable' in placement ? [] : placement.rankedCoreNodes
  const rankOf = (claim: Claim) =>
    (ranking.indexOf(claim.coreNode) + ranking.length + 1) % (ranking.length + 1)
  const [best] = claims.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.coreNode < b.coreNode ? -1 : 1))
  return heir(best!, claims) ?? best!
}

/** A VM that is handed over is with the other core node as soon as that one says so. */
function heir({ coreNode, target, since }: Claim, claims: Claim[]): Claim | undefined {
  return claims.find(
    (other) => other.coreNode !== coreNode && other.computeNode === target && other.since >= since,
  )
}

/** The compute node of ours that should take a workload without a claim; undefined when it is not our turn. */
function ownTurn(
  vmHash: string,
  { candidates }: Placed,
  { coreNodes, homelessSince, turnSeconds, now }: PlanInputs,
): { coreNode: string; computeNode: string; rank: number } | undefined {
  const rank = candidates.findIndex((candidate) => coreNodes.has(candidate.coreNode))
  const candidate = candidates[rank]
  if (!candidate || now < homelessSince(vmHash) + rank * turnSeconds) return undefined
  return { coreNode: candidate.coreNode, computeNode: candidate.computeNodes[0]!, rank }
}

/** Published claims that no longer lead to an assignment of ours. */
function lostClaims({ claims, coreNodes, published }: PlanInputs, { assignments, changes }: Plan): string[] {
  if (coreNodes.size === 0) return []
  const isOurs = ({ coreNode }: { coreNode: string }) => coreNodes.has(coreNode)
  const ours = new Set(claims.filter(isOurs).map((claim) => claim.vmHash))
  // Another core node, that the compute node went to, has said so.
  const former = new Set(claims.filter((claim) => claim.isFormer).map((claim) => claim.vmHash))
  const taken = new Set(
    claims.flatMap(({ vmHash, isFormer }) => (former.has(vmHash) && !isFormer ? vmHash : [])),
  )
  const others = new Set(claims.filter((claim) => !isOurs(claim)).map((claim) => claim.vmHash))
  return [...published.keys()].filter((vmHash) => {
    const assignment = assignments.get(vmHash)
    if (changes.has(vmHash) || (assignment && isOurs(assignment))) return false
    // What only another core node claims may be an entry of a sibling with the same owner.
    return ours.has(vmHash) || !others.has(vmHash) || taken.has(vmHash)
  })
}
