import type { EventLedger } from './event-ledger.ts'
import type { Queryable } from './queryable.ts'
import type { TokenTransfer } from './token-transfers.ts'

/** Tokens come from here when made and go here when destroyed; nobody holds them. */
const nobody = '0x0000000000000000000000000000000000000000'

/**
 * Keeps transfers and the balances that follow from them: at any time a balance is the replay of all stored
 * transfers, and only balances other than zero have a row. So two nodes that read the same chain hold the
 * same rows, whatever they had read and taken back before.
 */
export function tokenLedger(decimals: number): EventLedger<TokenTransfer> {
  const unit = `1e-${decimals}`
  return {
    async apply(transaction, chain, transfers) {
      if (transfers.length === 0) return []
      const column = <Key extends keyof TokenTransfer>(key: Key) => transfers.map((transfer) => transfer[key])
      return await moveBalances(
        transaction,
        `insert into token_transfers
           (chain, block_number, log_index, transaction_hash, sender, recipient, value)
         select $1, t.* from unnest($4::bigint[], $5::int[], $6::text[], $7::text[], $8::text[], $9::numeric[]) t
         on conflict do nothing
         returning sender, recipient, value`,
        [
          chain,
          unit,
          nobody,
          column('blockNumber'),
          column('logIndex'),
          column('transactionHash'),
          column('sender'),
          column('recipient'),
          column('value').map(String),
        ],
      )
    },

    async revertAbove(transaction, chain, blockNumber) {
      return await moveBalances(
        transaction,
        `delete from token_transfers where chain = $1 and block_number > $4
         returning recipient as sender, sender as recipient, value`,
        [chain, unit, nobody, blockNumber],
      )
    },
  }
}

/**
 * Books the transfers that a statement returns. Parameters 1 to 3 are chain, unit and the address that holds
 * nothing.
 *
 * @returns addresses whose balance is another now
 */
async function moveBalances(
  transaction: Queryable,
  transfers: string,
  parameters: unknown[],
): Promise<string[]> {
  const { rows } = await transaction.query<{ address: string }>(
    `with transfers as (${transfers}),
     moves as (
       select recipient as address, value from transfers
       union all
       select sender, -value from transfers
     ),
     sums as (
       select address, sum(value) * $2::numeric as amount from moves
       where address <> $3 group by address having sum(value) <> 0
     )
     insert into balances as held (address, chain, balance)
     select address, $1, amount from sums order by address
     on conflict (address, chain, dapp) do update set balance = held.balance + excluded.balance
     returning address`,
    parameters,
  )
  const addresses = rows.map((row) => row.address)
  await transaction.query(
    'delete from balances where chain = $1 and dapp is null and balance = 0 and address = any($2)',
    [parameters[0], addresses],
  )
  return addresses
}
