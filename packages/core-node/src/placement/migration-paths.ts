/** A compute node that an instance leaves or goes to. */
export interface MigrationEnd {
  hash: string
  /** Whom to call: the node itself, or the core node that another core node's compute node obeys. */
  url: string
  /** Put before the paths of calls to another core node. */
  prefix?: string
}

/** Calls of a compute node that have to do with an instance on its way (protocol 06 §7.4, §7.5). */
export const migrationPaths = {
  room: '/v2/control/capacity/check',
  begin: '/control/migrate',
  status: (vmHash: string) => `/control/migrate/${vmHash}/status`,
}

/** What a core node puts before them where another one asks it about a compute node and a VM. */
export function arrivalsPath(computeNode: string, vmHash: string): string {
  return `/scheduler/api/v1/nodes/${computeNode}/arrivals/${vmHash}`
}
