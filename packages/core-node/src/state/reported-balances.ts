import { addressKey, type BalancesUpdate, readBalancesUpdate } from '@aleph-ts/protocol'
import type pg from 'pg'

export interface BalanceReport {
  itemHash: string
  update: BalancesUpdate
}

/** Takes in the reports of posts (protocol 02 §14.1). */
export async function insertBalanceReports(tx: pg.PoolClient, reports: BalanceReport[]): Promise<void> {
  await tx.query(
    `insert into balance_posts (item_hash, chain, dapp) select * from unnest($1::text[], $2::text[], $3::text[])
     on conflict do nothing`,
    [
      reports.map((report) => report.itemHash),
      reports.map((report) => report.update.chain),
      reports.map((report) => report.update.dapp ?? null),
    ],
  )
  for (const report of reports) await applyReport(tx, report)
}

/** Takes back what posts reported: what they had replaced is read again from the others. */
export async function removeBalanceReports(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  const { rows: gone } = await tx.query<{ chain: string; dapp: string | null }>(
    'delete from balance_posts where item_hash = any($1) returning chain, dapp',
    [hashes],
  )
  if (gone.length === 0) return
  await tx.query('delete from reported_balances where item_hash = any($1)', [hashes])
  const { rows } = await tx.query<{ itemHash: string; content: { content: unknown } }>(
    `select p.item_hash as "itemHash", coalesce(m.content, m.item_content)::json as content
     from balance_posts p join messages m on m.item_hash = p.item_hash
     join unnest($1::text[], $2::text[]) as g(chain, dapp) on p.chain = g.chain and p.dapp is not distinct from g.dapp`,
    [gone.map((row) => row.chain), gone.map((row) => row.dapp)],
  )
  for (const { itemHash, content } of rows) {
    await applyReport(tx, { itemHash, update: readBalancesUpdate(content.content) })
  }
}

/** For each account the report of the greatest height holds, equal heights by hash, whatever the order they come in. */
async function applyReport(tx: pg.PoolClient, { itemHash, update }: BalanceReport): Promise<void> {
  const accounts = new Map(
    Object.entries(update.balances).map(([address, balance]) => [addressKey(update.chain, address), balance]),
  )
  await tx.query(
    `insert into reported_balances as r (address, chain, dapp, balance, eth_height, item_hash)
     select address, $3, $4, balance, $5, $6 from unnest($1::text[], $2::numeric[]) as t(address, balance)
     on conflict (address, chain, dapp) do update set balance = excluded.balance, eth_height = excluded.eth_height,
       item_hash = excluded.item_hash,
       last_update = case when r.balance = excluded.balance then r.last_update else excluded.last_update end
     where (excluded.eth_height, excluded.item_hash) > (r.eth_height, r.item_hash)`,
    [
      [...accounts.keys()],
      [...accounts.values()],
      update.chain,
      update.dapp ?? null,
      update.main_height,
      itemHash,
    ],
  )
}
