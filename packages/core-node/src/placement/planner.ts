import {
  type CapacityReport,
  type CorechannelAggregate,
  type PlacementPolicy,
  placementPolicy,
} from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { loadAggregates } from '../state/aggregates.ts'
import { loadCapacityReports } from './capacity-reports.ts'
import {
  type Claim,
  type IgnoredClaim,
  judgeClaims,
  loadAllocations,
  ownClaims,
  validClaims,
  withChanges,
} from './claims.ts'
import type { Mandate } from './mandate.ts'
import type { NodeLinks } from './node-links.ts'
import type { NodeStanding } from './node-standing.ts'
import { ownComputeNodes } from './own-nodes.ts'
import { type Plan, plan } from './plan.ts'
import { SentChanges } from './sent-changes.ts'
import { type Workload, WorkloadCatalog } from './workloads.ts'

export interface PlannerOptions {
  mandate: Mandate
  standing: NodeStanding
  links: Pick<NodeLinks, 'former'>
}

/** What a plan is made of that everybody can see. */
export interface PlanBasis {
  corechannel: CorechannelAggregate
  workloads: readonly Workload[]
  reports: ReadonlyMap<string, CapacityReport>
  policy: PlacementPolicy
  /** Valid claims, as the state has them. */
  claims: readonly Claim[]
}

/** Claims without effect that are remembered, with their reason. */
const mostIgnored = 10_000

/** Makes plans of what the state says, what was published lately, and what is known against nodes. */
export class Planner {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'profile'>
  readonly #options: PlannerOptions
  readonly #workloads: WorkloadCatalog
  /** Changes we published that the state may not show yet. */
  readonly #sent = new SentChanges()
  readonly #homelessSince = new Map<string, number>()
  /** Why claims of ours were given up, by VM. */
  #reasonsToLeave = new Map<string, string>()
  /** What the state says compute nodes can carry; undefined once that may have changed. */
  #reports: Promise<Map<string, CapacityReport>> | undefined

  #basis: PlanBasis | undefined
  #ignored: readonly IgnoredClaim[] = []

  constructor(context: Pick<CoreNodeContext, 'pool' | 'profile'>, options: PlannerOptions) {
    this.#context = context
    this.#options = options
    this.#workloads = new WorkloadCatalog(context.pool)
  }

  /** Notes changes that were published: they count as made, though the state may not show them yet. */
  published(changes: Plan['changes']): void {
    this.#sent.add(changes, Date.now() / 1000)
  }

  /** Reads capacity reports anew next time. */
  forgetReports(): void {
    this.#reports = undefined
  }

  /** What compute nodes can carry, as the state has it, by hash. */
  reports(corechannel: CorechannelAggregate): Promise<Map<string, CapacityReport>> {
    const { scheduler } = this.#options.mandate
    const reports = this.#reports ?? loadCapacityReports(this.#context.pool, corechannel, scheduler)
    this.#reports = reports
    reports.catch(() => {
      if (this.#reports === reports) this.#reports = undefined
    })
    return reports
  }

  /** What the last plan was made of; undefined before the first. */
  get basis(): PlanBasis | undefined {
    return this.#basis
  }

  /** Claims that led to nothing in the last plan, as the state has them. */
  get ignoredClaims(): readonly IgnoredClaim[] {
    return this.#ignored
  }

  /** Why a claim was given up in the last plan; undefined when it was not. */
  reasonToLeave(vmHash: string): string | undefined {
    return this.#reasonsToLeave.get(vmHash)
  }

  async decide(corechannel: CorechannelAggregate): Promise<Plan> {
    const { mandate, standing, links } = this.#options
    const { address } = mandate.key
    const coreNodes = mandate.coreNodes(corechannel)
    const now = Date.now() / 1000
    const [workloads, reports, policy, stored] = await Promise.all([
      this.#workloads.load(),
      this.reports(corechannel),
      this.#policy(),
      loadAllocations(this.#context.pool, [...this.#claimants(corechannel), address]),
    ])
    const { former } = links
    const { claims, ignored } = judgeClaims(stored, corechannel, mandate.scheduler, former)
    this.#basis = { corechannel, workloads, reports, policy, claims }
    await standing.look({ own: ownComputeNodes(corechannel, coreNodes), workloads, corechannel, policy, now })
    const byHash = new Map(workloads.map((workload) => [workload.hash, workload]))
    this.#sent.settle(ownClaims(stored, address), now)
    const aggregates = withChanges(stored, address, this.#sent.all)
    const next = plan({
      workloads,
      corechannel,
      reports,
      policy,
      claims: this.#tenable(validClaims(aggregates, corechannel, mandate.scheduler, former), byHash),
      refuse: (node, vmHash) => standing.reasonAgainst(node, byHash.get(vmHash)),
      coreNodes,
      published: ownClaims(aggregates, address),
      turnSeconds: this.#context.profile.placement.turnSeconds,
      homelessSince: (vmHash) => this.#homelessSince.get(vmHash) ?? now,
      now,
    })
    this.#noteHomeless(next, now)
    this.#ignored = [...ignored, ...outranked(claims, next, corechannel)].slice(0, mostIgnored)
    return next
  }

  async #policy(): Promise<PlacementPolicy> {
    const { pool, profile } = this.#context
    const owner = profile.addresses.settings
    return placementPolicy(profile, (await loadAggregates(pool, 'settings', [owner])).get(owner))
  }

  #claimants({ nodes }: CorechannelAggregate): Set<string> {
    const { scheduler } = this.#options.mandate
    return new Set(scheduler === null ? nodes.map(({ owner }) => owner) : [scheduler])
  }

  /** Claims less those that do not hold any more. */
  #tenable(claims: Claim[], workloads: ReadonlyMap<string, Workload>): Claim[] {
    this.#reasonsToLeave = new Map()
    return claims.filter((claim) => {
      const workload = workloads.get(claim.vmHash)
      const reason = workload ? this.#options.standing.reasonToLeave(claim, workload) : null
      if (reason !== null) this.#reasonsToLeave.set(claim.vmHash, reason)
      return reason === null
    })
  }

  #noteHomeless({ homeless }: Plan, now: number): void {
    for (const vmHash of this.#homelessSince.keys()) {
      if (!homeless.has(vmHash)) this.#homelessSince.delete(vmHash)
    }
    for (const vmHash of homeless.keys()) {
      if (!this.#homelessSince.has(vmHash)) this.#homelessSince.set(vmHash, now)
    }
  }
}

/** Claims of VMs that another core node has. */
function outranked(
  claims: readonly Claim[],
  { assignments }: Plan,
  corechannel: CorechannelAggregate,
): IgnoredClaim[] {
  const ownerOf = new Map(corechannel.nodes.map(({ hash, owner }) => [hash, owner]))
  return claims.flatMap(({ vmHash, coreNode, computeNode }) => {
    const owner = ownerOf.get(coreNode) ?? ''
    const assignment = assignments.get(vmHash)
    const isLost = assignment !== undefined && assignment.coreNode !== coreNode
    return isLost ? [{ vmHash, owner, computeNode, reason: 'outranked' as const }] : []
  })
}
