import { readNetworkMetrics } from '@aleph-ts/protocol'
import type pg from 'pg'

/** Keeps what a metrics post measured (protocol 02 §8.3). */
export async function insertMetrics(
  tx: pg.PoolClient,
  posts: { itemHash: string; content: unknown }[],
): Promise<void> {
  const read = posts.map(({ itemHash, content }) => ({ itemHash, ...readNetworkMetrics(content) }))
  for (const table of ['crn', 'ccn'] as const) {
    const rows = read.flatMap(({ itemHash, ...metrics }) =>
      metrics[table].map((row) => ({ ...row, item_hash: itemHash })),
    )
    if (rows.length === 0) continue
    await tx.query(
      `insert into ${table}_metrics select * from json_populate_recordset(null::${table}_metrics, $1)`,
      [JSON.stringify(rows)],
    )
  }
}

/** Measurements are kept for a year (protocol 02 §8.3). */
export async function dropOldMetrics(tx: pg.PoolClient, now: Date): Promise<void> {
  const oldest = now.getTime() / 1000 - 366 * 86_400
  await tx.query('delete from crn_metrics where measured_at < $1', [oldest])
  await tx.query('delete from ccn_metrics where measured_at < $1', [oldest])
}

export async function removeMetrics(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  await tx.query('delete from crn_metrics where item_hash = any($1)', [hashes])
  await tx.query('delete from ccn_metrics where item_hash = any($1)', [hashes])
}
