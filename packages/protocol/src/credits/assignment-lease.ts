import type { Allocation } from '../aggregates/allocations.ts'

/** A change to the `allocations` aggregate of one core node's owner (protocol 06 §8.5). */
export interface AllocationChange {
  owner: string
  /** When it was published, epoch seconds. */
  time: number
  /** VM hash → allocation, or null where it was released. */
  changes: Record<string, Allocation | null>
}

/** A compute node had a VM, from one time to another. */
export interface AssignmentLease {
  vmHash: string
  computeNode: string
  /** Epoch seconds. */
  since: number
  /** Null while it lasts. */
  until: number | null
}

/**
 * Who had which VM when, out of everything that core nodes published. A lease begins when it is published, whatever the
 * allocation says of earlier times, and ends when its owner releases the VM or moves it.
 *
 * @param changes in any order
 */
export function assignmentLeases(changes: AllocationChange[]): AssignmentLease[] {
  const leases: AssignmentLease[] = []
  const open = new Map<string, AssignmentLease>()
  const inOrder = changes.toSorted((a, b) => a.time - b.time || (a.owner < b.owner ? -1 : 1))
  for (const { owner, time, changes: allocations } of inOrder) {
    for (const [vmHash, allocation] of Object.entries(allocations)) {
      const key = `${owner} ${vmHash}`
      const current = open.get(key)
      if (current && current.computeNode === allocation?.node) continue
      if (current) current.until = time
      open.delete(key)
      if (!allocation) continue
      const lease = { vmHash, computeNode: allocation.node, since: time, until: null }
      open.set(key, lease)
      leases.push(lease)
    }
  }
  return leases
}
