import { z } from 'zod'
import type { CorechannelAggregate } from '../aggregates/corechannel.ts'
import { sha256Hex } from '../hash/sha256.ts'
import type { CapacityReport } from './capacity-report.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import type { PlannedVm } from './plan-network.ts'

/** What core nodes publish about the plan they came to, for others to check (protocol 06 §8.5). */
export const schedulerPlanPostType = 'scheduler-plan'

const root = z.string().regex(/^[0-9a-f]{64}$/)

/** Content of a `scheduler-plan` post. Who has the same inputs must come to the same plan. */
export const schedulerPlanSchema = z.looseObject({
  /** Epoch seconds over 60. */
  epoch: z.int().nonnegative(),
  inputs: z.strictObject({
    /** Nodes, their links, statuses, scores and terms. */
    corechannel: root,
    /** What the network asks of compute nodes. */
    settings: root,
    /** VMs that want to run, and when a chain confirmed them. */
    messages_root: root,
    /** What compute nodes can carry. */
    reports_root: root,
    /** What core nodes have claimed. */
    allocations_root: root,
  }),
  /** Which compute node has, or should get, which VM. */
  plan_root: root,
})

export type SchedulerPlan = z.output<typeof schedulerPlanSchema>

/** The claim of a core node, as far as plans go by it. */
export interface PlannedClaim {
  vmHash: string
  computeNode: string
  since: number
  target?: string
}

/** What a plan is made of. */
export interface SchedulerPlanInputs {
  corechannel: CorechannelAggregate
  vms: readonly PlannedVm[]
  reports: ReadonlyMap<string, CapacityReport>
  policy: PlacementPolicy
  claims: readonly PlannedClaim[]
}

/** Fingerprints of the inputs of a plan; they do not depend on the order in which anything is named. */
export function planInputRoots({
  corechannel,
  vms,
  reports,
  policy,
  claims,
}: SchedulerPlanInputs): SchedulerPlan['inputs'] {
  return {
    corechannel: rootOf([
      ...corechannel.nodes.map(({ hash, owner, status, score }) => ['core', hash, owner, status, score]),
      ...corechannel.resource_nodes.map((node) => [
        ...['compute', node.hash, node.owner, node.status, node.parent, node.score],
        ...[node.stream_reward, node.terms_and_conditions],
      ]),
    ]),
    settings: rootOf([
      ['ipv6', policy.requiresIpv6Pool],
      ...[...policy.streamChains].map((chain) => ['stream', chain]),
      ...[...policy.blacklist].map((hash) => ['blacklist', hash]),
    ]),
    messages_root: rootOf(vms.map(({ hash, confirmedHeight, time }) => [hash, confirmedHeight, time])),
    reports_root: rootOf([...reports].map(([hash, report]) => [hash, report])),
    allocations_root: rootOf(
      claims.map(({ vmHash, computeNode, since, target = null }) => [vmHash, computeNode, since, target]),
    ),
  }
}

/** Fingerprint of a plan: of every VM the compute node. */
export function planRoot(places: Iterable<[vmHash: string, computeNode: string]>): string {
  return rootOf([...places])
}

/** SHA-256 of the entries, each a line of JSON, in the order of their UTF-16 code units. */
function rootOf(entries: readonly (readonly unknown[])[]): string {
  const lines = entries.map((entry) => JSON.stringify(entry)).sort()
  return sha256Hex(lines.join('\n'))
}
