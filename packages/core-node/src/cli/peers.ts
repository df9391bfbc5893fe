import type { CoreNodeConfig } from '../config.ts'
import { withDatabase } from './node-database.ts'
import { printTable } from './print.ts'

const mostShown = 1000

/** Shows the nodes this node heard of, those heard last first. */
export async function showPeers(config: CoreNodeConfig, options: { json?: boolean }): Promise<void> {
  const peers = await withDatabase(config, async (pool) => {
    const { rows } = await pool.query<{
      peer_id: string
      peer_type: string
      address: string
      last_seen: Date
    }>('select peer_id, peer_type, address, last_seen from peers order by last_seen desc limit $1', [
      mostShown,
    ])
    return rows
  })
  if (options.json) process.stdout.write(`${JSON.stringify(peers)}\n`)
  else
    printTable(
      peers.map((peer) => [peer.peer_type, peer.address, peer.peer_id, peer.last_seen.toISOString()]),
    )
}
