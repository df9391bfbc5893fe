import { addressKey, type CorechannelAggregate } from '@aleph-ts/protocol'
import type pg from 'pg'
import { z } from 'zod'

/** A core node saying that one of its compute nodes runs a workload (protocol 06 §8.5). */
export interface Claim {
  vmHash: string
  coreNode: string
  computeNode: string
  /** Epoch seconds of the assignment. */
  since: number
}

/** One entry of the `allocations` aggregate; `null` releases the claim. */
export const claimEntrySchema = z.object({
  node: z.string().min(1).max(128),
  epoch: z.int().nonnegative(),
  since: z.number().nonnegative(),
  state: z.enum(['assigned', 'running', 'migrating']),
  rank: z.int().nonnegative(),
})
export type ClaimEntry = z.infer<typeof claimEntrySchema>

/** Key of the aggregate by which a core node publishes its claims. */
export const allocationsKey = 'allocations'

/** A row of the state: one owner's `allocations` aggregate. */
export interface AllocationsAggregate {
  owner: string
  content: unknown
}

export async function loadAllocations(pool: pg.Pool, owners: string[]): Promise<AllocationsAggregate[]> {
  const { rows } = await pool.query<AllocationsAggregate>(
    'select owner, content from aggregates where key = $1 and lower(owner) = any($2) order by owner',
    [allocationsKey, owners.map((owner) => owner.toLowerCase())],
  )
  return rows
}

/**
 * The claims that count: published by the owner of a registered core node, for a compute node linked to that core
 * node. Everything else in the aggregates is ignored.
 */
export function validClaims(aggregates: AllocationsAggregate[], corechannel: CorechannelAggregate): Claim[] {
  const coreNodeOwners = new Map(corechannel.nodes.map((node) => [node.hash, addressKey('ETH', node.owner)]))
  const parents = new Map(corechannel.resource_nodes.map((node) => [node.hash, node.parent ?? null]))
  return aggregates.flatMap(({ owner, content }) => {
    if (typeof content !== 'object' || content === null) return []
    const ownerKey = addressKey('ETH', owner)
    return Object.entries(content).flatMap(([vmHash, value]): Claim[] => {
      const entry = claimEntrySchema.safeParse(value)
      if (!entry.success) return []
      const coreNode = parents.get(entry.data.node)
      if (!coreNode || coreNodeOwners.get(coreNode) !== ownerKey) return []
      return [{ vmHash, coreNode, computeNode: entry.data.node, since: entry.data.since }]
    })
  })
}
