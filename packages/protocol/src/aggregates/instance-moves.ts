import { addressKey } from '../identity/address-key.ts'

/** Key of the aggregate in which owners say to which compute nodes their instances are to move. */
export const instanceMovesKey = 'instance-moves'

/**
 * Where owners want their VMs: VM → compute node. An `instance-moves` aggregate maps hashes of VMs to hashes of compute
 * nodes, null taking a wish back, and counts for VMs of its owner only.
 */
export function wantedComputeNodes(
  aggregates: Iterable<{ owner: string; content: Record<string, unknown> }>,
  vms: Iterable<{ hash: string; owner: string }>,
): Map<string, string> {
  const wishes = new Map<string, string>()
  for (const { owner, content } of aggregates) {
    for (const [vm, node] of Object.entries(content)) {
      if (typeof node === 'string') wishes.set(`${addressKey('ETH', owner)} ${vm}`, node)
    }
  }
  const wanted = new Map<string, string>()
  for (const { hash, owner } of vms) {
    const node = wishes.get(`${addressKey('ETH', owner)} ${hash}`)
    if (node !== undefined) wanted.set(hash, node)
  }
  return wanted
}
