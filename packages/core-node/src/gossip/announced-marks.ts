import type { Envelope } from '@aleph-ts/protocol'
import type pg from 'pg'

const columns = 'sender, chain, signature, type, item_type, item_hash, item_content, time, channel'

/** Messages of our own API that were acknowledged, but of which no announcement was noted, oldest first. */
export async function loadUnannounced(pool: pg.Pool, limit: number): Promise<Envelope[]> {
  const { rows } = await pool.query<Envelope>(
    `(SELECT ${columns} FROM messages WHERE NOT announced ORDER BY seq LIMIT $1)
     UNION ALL
     (SELECT ${columns} FROM pending_messages WHERE NOT announced ORDER BY id LIMIT $1)
     LIMIT $1`,
    [limit],
  )
  return rows
}

/**
 * Notes that messages were gossiped. Pending rows first: a message that is being processed meanwhile moves from there
 * to `messages`, and the second statement, which starts later, sees it.
 */
export async function markAnnounced(pool: pg.Pool, envelopes: Envelope[]): Promise<void> {
  const hashes = envelopes.map((envelope) => envelope.item_hash)
  const { rows } = await pool.query<{ item_hash: string }>({
    name: 'mark-announced-pending',
    text: `UPDATE pending_messages SET announced = true
           WHERE item_hash = ANY($1) AND NOT announced RETURNING item_hash`,
    values: [hashes],
  })
  const marked = new Set(rows.map((row) => row.item_hash))
  const moved = hashes.filter((hash) => !marked.has(hash))
  if (moved.length === 0) return
  await pool.query({
    name: 'mark-announced-messages',
    text: 'UPDATE messages SET announced = true WHERE item_hash = ANY($1) AND NOT announced',
    values: [moved],
  })
}
