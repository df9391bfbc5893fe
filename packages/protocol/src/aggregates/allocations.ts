import { z } from 'zod'

/** Where one VM runs, as its core node published it (protocol 06 §8.5). */
export const allocationSchema = z.looseObject({
  /** Hash of the compute node. */
  node: z.string(),
  epoch: z.int().nonnegative().default(0),
  /** Epoch seconds of the assignment. */
  since: z.number().nonnegative(),
  state: z.enum(['assigned', 'running', 'migrating']),
  /** Hash of the compute node that it is on its way to while it is migrating. */
  target: z.string().optional(),
  /** Place of the publishing core node in the VM's ranking, 0 being the best. */
  rank: z.int().nonnegative().default(0),
})

/** Content of the `allocations` aggregate of a core node's owner: VM hash → allocation, null once released. */
export const allocationsSchema = z.record(z.string(), allocationSchema.nullable())

export type Allocation = z.output<typeof allocationSchema>
export type AllocationsAggregate = z.output<typeof allocationsSchema>
export const allocationsKey = 'allocations'
