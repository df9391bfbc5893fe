import { z } from 'zod'
import { addressKey } from '../identity/address-key.ts'
import type { CorechannelAggregate } from './corechannel.ts'

/** Key of the aggregate in which operators name the compute nodes that are to be emptied. */
export const nodeDrainsKey = 'node-drains'

/** Content of the `node-drains` aggregate: hash of a compute node → true while it is to be emptied. */
export const nodeDrainsSchema = z.record(z.string(), z.unknown())

/**
 * The compute nodes that are to be emptied: nothing new is placed on them, and what runs there moves. Their owner may
 * say so, or the owner of the core node they are linked to.
 */
export function drainingNodes(
  aggregates: Iterable<{ owner: string; content: Record<string, unknown> }>,
  { nodes, resource_nodes }: CorechannelAggregate,
): Set<string> {
  const wishes = new Set<string>()
  for (const { owner, content } of aggregates) {
    for (const [node, wish] of Object.entries(content)) {
      if (wish === true) wishes.add(`${addressKey('ETH', owner)} ${node}`)
    }
  }
  const coreOwners = new Map(nodes.map(({ hash, owner }) => [hash, owner]))
  return new Set(
    resource_nodes
      .filter(({ hash, owner, parent }) =>
        [owner, coreOwners.get(parent ?? '')].some(
          (address) => address !== undefined && wishes.has(`${addressKey('ETH', address)} ${hash}`),
        ),
      )
      .map(({ hash }) => hash),
  )
}
