import {
  type Allocation,
  type CorechannelAggregate,
  type InstanceContent,
  type ProgramContent,
  placeVm,
  vmRequirements,
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
}

export interface PlanInputs {
  workloads: Workload[]
  corechannel: CorechannelAggregate
  /** Valid claims of all core nodes. */
  claims: Claim[]
  /** Hash of the core node that plans; null for an unregistered one, which only watches. */
  self: string | null
  /** Everything this node's owner has published as claimed. */
  published: Map<string, unknown>
  /** Epoch seconds since when this node knows that a workload has no place. */
  homelessSince: (vmHash: string) => number
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
}

/** A better placed core node has this long to claim a workload before the next one may (protocol 06 §8.5), seconds. */
export const turnSeconds = 90
const epochSeconds = 60

/**
 * Decides where every workload runs and what this node has to publish (protocol 06 §8.3 and §8.5). Whoever claimed a
 * workload keeps it; of two claims the better ranked core node's wins; one without a claim goes to the first ranked
 * core node, and to the next ones when that stays silent.
 */
export function plan(inputs: PlanInputs): Plan {
  const { workloads, claims, self, now } = inputs
  const result: Plan = { assignments: new Map(), changes: new Map(), homeless: new Map() }
  const claimsOf = Map.groupBy(claims, (claim) => claim.vmHash)
  for (const workload of workloads) {
    const claim = winner(workload, claimsOf.get(workload.hash) ?? [], inputs)
    if (claim) {
      const { coreNode, computeNode, since } = claim
      result.assignments.set(workload.hash, { workload, coreNode, computeNode, since })
      continue
    }
    const turn = ownTurn(workload, inputs)
    if ('unschedulable' in turn) {
      result.homeless.set(workload.hash, turn.unschedulable)
    } else if (self === null || turn.computeNode === null) {
      result.homeless.set(workload.hash, {})
    } else {
      const { computeNode, rank } = turn
      const epoch = Math.floor(now / epochSeconds)
      result.assignments.set(workload.hash, { workload, coreNode: self, computeNode, since: now })
      result.changes.set(workload.hash, { node: computeNode, epoch, since: now, state: 'assigned', rank })
    }
  }
  for (const vmHash of lostClaims(inputs, result)) result.changes.set(vmHash, null)
  return result
}

function winner(workload: Workload, claims: Claim[], { corechannel }: PlanInputs): Claim | undefined {
  if (claims.length < 2) return claims[0]
  const placement = placeVm(workload.hash, requirementsOf(workload), corechannel)
  const ranking = 'unschedulable' in placement ? [] : placement.rankedCoreNodes
  const rankOf = (claim: Claim) =>
    (ranking.indexOf(claim.coreNode) + ranking.length + 1) % (ranking.length + 1)
  return claims.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.coreNode < b.coreNode ? -1 : 1))[0]
}

/** The compute node of ours that should take a workload without a claim, or null when it is not our turn. */
function ownTurn(
  workload: Workload,
  { corechannel, self, homelessSince, now }: PlanInputs,
): { unschedulable: Record<string, number> } | { computeNode: string | null; rank: number } {
  const placement = placeVm(workload.hash, requirementsOf(workload), corechannel)
  if ('unschedulable' in placement) return placement
  const rank = placement.candidates.findIndex((candidate) => candidate.coreNode === self)
  const ours = rank !== -1 && now >= homelessSince(workload.hash) + rank * turnSeconds
  return { computeNode: ours ? placement.candidates[rank]!.computeNodes[0]! : null, rank }
}

/** Published claims that no longer lead to an assignment of ours. */
function lostClaims({ claims, self, published }: PlanInputs, { assignments, changes }: Plan): string[] {
  if (self === null) return []
  const ours = new Set(claims.filter((claim) => claim.coreNode === self).map((claim) => claim.vmHash))
  const others = new Set(claims.filter((claim) => claim.coreNode !== self).map((claim) => claim.vmHash))
  return [...published.keys()].filter((vmHash) => {
    if (changes.has(vmHash) || assignments.get(vmHash)?.coreNode === self) return false
    // What only another core node claims may be an entry of a sibling with the same owner.
    return ours.has(vmHash) || !others.has(vmHash)
  })
}

function requirementsOf({ content }: Workload) {
  return vmRequirements(content as ProgramContent | InstanceContent)
}
