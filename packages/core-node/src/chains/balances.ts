import type { Queryable } from './queryable.ts'

/** What this node reads from chains itself; for all other chains, what posts report. */
export const knownBalances = [
  'select address, chain, dapp, balance from balances',
  // Not an anti-join: the planner would take it to leave nothing, and read the table for the first page of a list.
  `select address, chain, dapp, balance from reported_balances
   where chain not in (select c.chain from chain_cursors c where c.stream = 'token')`,
]
const allBalances = knownBalances.join(' union all ')

/**
 * What each address can spend: its own ALEPH summed over all chains (protocol 02 §14.1).
 *
 * @param addressKeys canonical addresses, as `addressKey` of the protocol gives them
 * @returns whole ALEPH as plain decimal text for every key asked for; "0" for those who hold nothing
 */
export async function loadBalances(db: Queryable, addressKeys: string[]): Promise<Map<string, string>> {
  const balances = new Map(addressKeys.map((key) => [key, '0']))
  if (balances.size === 0) return balances
  const { rows } = await db.query<{ address: string; balance: string }>(
    `select address, trim_scale(sum(balance))::text as balance from (${allBalances}) b
     where address = any($1) and dapp is null group by address`,
    [[...balances.keys()]],
  )
  for (const row of rows) balances.set(row.address, row.balance)
  return balances
}

/** What an address holds on one chain, itself (`dapp` null) or through an application. */
export interface HeldBalance {
  chain: string
  dapp: string | null
  /** Whole ALEPH, plain decimal text. */
  balance: string
}

/** Everything one address holds, by chain and application; empty when it holds nothing. */
export async function listBalances(db: Queryable, addressKey: string): Promise<HeldBalance[]> {
  const { rows } = await db.query<HeldBalance>(
    `select chain, dapp, trim_scale(balance)::text as balance from (${allBalances}) b
     where address = $1 order by chain, dapp nulls first`,
    [addressKey],
  )
  return rows
}
