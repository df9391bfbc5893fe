import type { TestNode } from './test-node.ts'

/** Publishes a small instance for the node of this hash, paid with credits unless told otherwise. */
export function publishInstance(
  node: TestNode,
  nodeHash: string,
  changes: Record<string, unknown> = {},
): string {
  return node.core.publish('INSTANCE', {
    allow_amend: false,
    environment: { internet: true, hypervisor: 'qemu' },
    resources: { vcpus: 1, memory: 256, seconds: 30 },
    payment: { chain: 'ETH', type: 'credit' },
    requirements: { node: { node_hash: nodeHash } },
    rootfs: {
      parent: { ref: node.core.store(Buffer.alloc(1024 * 1024)), use_latest: false },
      persistence: 'host',
      size_mib: 16,
    },
    volumes: [],
    ...changes,
  })
}

/** Has the node's core node say that everything costs nothing worth speaking of and everybody is rich. */
export function richWorld(node: TestNode): void {
  node.core.intercept = (request, response) => {
    const isPrice = request.url?.startsWith('/api/v0/price/')
    if (!isPrice && !request.url?.endsWith('/balance')) return false
    response.end(JSON.stringify(isPrice ? { cost: '1' } : { balance: 10, credit_balance: 1_000_000 }))
    return true
  }
}

/** `POST /control/allocation/notify`: status and body. */
export async function notify(node: TestNode, instance: string): Promise<[number, Record<string, unknown>]> {
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify({ instance }) }
  const response = await fetch(`${node.url}/control/allocation/notify`, init)
  return [response.status, (await response.json()) as Record<string, unknown>]
}
