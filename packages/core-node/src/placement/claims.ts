import {
  type Allocation,
  addressKey,
  allocationSchema,
  allocationsKey,
  type CorechannelAggregate,
} from '@aleph-ts/protocol'
import type pg from 'pg'

/** A core node saying that one of its compute nodes runs a workload (protocol 06 §8.5). */
export interface Claim {
  vmHash: string
  coreNode: string
  computeNode: string
  /** Epoch seconds of the assignment. */
  since: number
  /** The compute node that it is on its way to. */
  target?: string
  /** By the core node that the compute node was linked to before. */
  isFormer?: boolean
}

/** One owner's `allocations` aggregate: VM hash → allocation, or null where it was released. */
export interface OwnerAllocations {
  owner: string
  content: Record<string, unknown>
}

/** The `allocations` aggregates of these addresses, however they are spelled. */
export async function loadAllocations(pool: pg.Pool, owners: string[]): Promise<OwnerAllocations[]> {
  const { rows } = await pool.query<OwnerAllocations>(
    'select owner, content from aggregates where key = $1 and lower(owner) = any($2) order by owner',
    [allocationsKey, owners.map((owner) => owner.toLowerCase())],
  )
  return rows
}

/** An entry of an `allocations` aggregate that leads to nothing. */
export interface IgnoredClaim {
  vmHash: string
  owner: string
  /** Hash of the compute node it names; null when it names none. */
  computeNode: string | null
  reason: 'malformed' | 'unknown_node' | 'not_linked' | 'not_its_compute_node' | 'outranked'
}

/** The claims that count; see {@link judgeClaims}. */
export function validClaims(...inputs: Parameters<typeof judgeClaims>): Claim[] {
  return judgeClaims(...inputs).claims
}

/**
 * The claims that count: published by the owner of an active registered core node, for a compute node linked to that
 * core node; or, where the network has one scheduler, by that one. Everything else in the aggregates is ignored, with
 * its reason.
 *
 * @param former the core node that a compute node was linked to until a moment ago: what it claimed there goes on
 */
export function judgeClaims(
  aggregates: readonly OwnerAllocations[],
  corechannel: CorechannelAggregate,
  scheduler: string | null = null,
  former: ReadonlyMap<string, string> = new Map(),
): { claims: Claim[]; ignored: IgnoredClaim[] } {
  const owners = claimants(corechannel, scheduler)
  const parents = new Map(corechannel.resource_nodes.map((node) => [node.hash, node.parent]))
  const claims: Claim[] = []
  const ignored: IgnoredClaim[] = []
  for (const { owner, vmHash, value } of entriesOf(aggregates)) {
    const ignore = (reason: IgnoredClaim['reason'], computeNode: string | null) =>
      ignored.push({ vmHash, owner, computeNode, reason })
    const allocation = allocationSchema.safeParse(value)
    if (!allocation.success) {
      ignore('malformed', null)
      continue
    }
    const { node: computeNode, since, state, target } = allocation.data
    const coreNode = parents.get(computeNode)
    const ownerKey = addressKey('ETH', owner)
    const isOf = (core: string | undefined) => owners.get(core ?? '') === ownerKey
    if (coreNode === undefined) ignore('unknown_node', computeNode)
    else if (coreNode === null) ignore('not_linked', computeNode)
    else if (!isOf(coreNode) && !isOf(former.get(computeNode))) ignore('not_its_compute_node', computeNode)
    else {
      const isMoving = state === 'migrating' && owners.has(parents.get(target ?? '') ?? '')
      claims.push({
        vmHash,
        coreNode,
        computeNode,
        since,
        ...(isMoving ? { target: target! } : {}),
        ...(isOf(coreNode) ? {} : { isFormer: true }),
      })
    }
  }
  return { claims, ignored }
}

/** What was claimed and not released. */
function* entriesOf(
  aggregates: readonly OwnerAllocations[],
): Generator<{ owner: string; vmHash: string; value: unknown }> {
  for (const { owner, content } of aggregates) {
    for (const [vmHash, value] of Object.entries(content)) {
      if (value !== null) yield { owner, vmHash, value }
    }
  }
}

/** Who may place VMs on the compute nodes of each active core node, by the core node's hash. */
export function claimants(
  { nodes }: CorechannelAggregate,
  scheduler: string | null,
): ReadonlyMap<string, string> {
  const active = nodes.filter(({ status }) => status === 'active')
  return new Map(active.map(({ hash, owner }) => [hash, addressKey('ETH', scheduler ?? owner)]))
}

/** The aggregates with changes that were sent but may not have been processed yet. */
export function withChanges(
  aggregates: OwnerAllocations[],
  owner: string,
  changes: Iterable<[string, Allocation | null]>,
): OwnerAllocations[] {
  const others = aggregates.filter((aggregate) => !sameOwner(aggregate.owner, owner))
  const own = aggregates.filter((aggregate) => sameOwner(aggregate.owner, owner))
  const content = Object.assign({}, ...own.map((aggregate) => aggregate.content), Object.fromEntries(changes))
  return [...others, { owner, content }]
}

/** What this owner has claimed, valid or not. */
export function ownClaims(aggregates: OwnerAllocations[], owner: string): Map<string, unknown> {
  const own = aggregates.find((aggregate) => sameOwner(aggregate.owner, owner))
  return new Map(Object.entries(own?.content ?? {}).filter(([, allocation]) => allocation !== null))
}

function sameOwner(a: string, b: string): boolean {
  return addressKey('ETH', a) === addressKey('ETH', b)
}
