import type pg from 'pg'

/** Verdicts taken up in one transaction. */
const mostAtOnce = 500

/** Remembers messages to judge again. */
export async function addStaleVerdicts(tx: pg.PoolClient, hashes: Iterable<string>): Promise<void> {
  await tx.query('insert into stale_verdicts (item_hash) select unnest($1::text[]) on conflict do nothing', [
    [...hashes],
  ])
}

/** Takes some of the messages to judge again; empty when there are none. */
export async function takeStaleVerdicts(tx: pg.PoolClient): Promise<string[]> {
  const { rows } = await tx.query<{ item_hash: string }>(
    `delete from stale_verdicts where item_hash in (select item_hash from stale_verdicts limit $1) returning item_hash`,
    [mostAtOnce],
  )
  return rows.map((row) => row.item_hash)
}
