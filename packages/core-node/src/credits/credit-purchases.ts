import type { CreditPurchase, CreditSale } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { ChainSource } from '../chains/chain-source.ts'
import type { EventLedger } from '../chains/event-ledger.ts'
import { EvmRpc } from '../chains/evm-rpc.ts'
import { tokenTransferSource } from '../chains/token-transfers.ts'

/** A purchase and where it stands on its chain. */
export interface PlacedPurchase extends CreditPurchase {
  blockNumber: number
}

/** Name of a sale's stream of events. */
export function streamOf(sale: CreditSale): string {
  return `credits/${sale.contract}/${sale.tokenContract}`
}

/** Payments of one token to the credit contract (protocol 04 §19.2). */
export function purchaseSource(sale: CreditSale, rpcUrl: string): ChainSource<PlacedPurchase> {
  const { evmChainId, contract, tokenContract, startBlock } = sale
  const transfers = tokenTransferSource({
    rpcUrl,
    evmChainId,
    token: tokenContract,
    startBlock,
    recipient: contract,
  })
  const rpc = new EvmRpc({ rpcUrl, evmChainId })
  return {
    identity: `${transfers.identity}/${contract}`,
    head: () => transfers.head(),
    block: (number) => transfers.block(number),
    close: () => {
      transfers.close()
      rpc.close()
    },
    async events(from, to) {
      const purchases: PlacedPurchase[] = []
      for (const transfer of await transfers.events(from, to)) {
        const { blockNumber, logIndex, transactionHash: txHash, sender: buyer, value } = transfer
        const last = purchases.at(-1)
        const time = last?.blockNumber === blockNumber ? last.time : await rpc.blockTime(blockNumber)
        purchases.push({ blockNumber, logIndex, txHash, buyer, value, time })
      }
      return purchases
    },
  }
}

/** Keeps purchases until they are announced, and after. */
export function purchaseLedger(stream: string): EventLedger<PlacedPurchase> {
  return {
    async apply(transaction, chain, purchases) {
      const column = <Key extends keyof PlacedPurchase>(key: Key) =>
        purchases.map((purchase) => purchase[key])
      await transaction.query(
        `insert into credit_purchases
           (chain, stream, block_number, log_index, transaction_hash, buyer, value, time)
         select $1, $2, t.*
         from unnest($3::bigint[], $4::int[], $5::text[], $6::text[], $7::numeric[], $8::float8[]) t
         on conflict do nothing`,
        [
          chain,
          stream,
          column('blockNumber'),
          column('logIndex'),
          column('txHash'),
          column('buyer'),
          column('value').map(String),
          column('time'),
        ],
      )
      return column('txHash')
    },

    async revertAbove(transaction, chain, blockNumber) {
      const { rows } = await transaction.query<{ transaction_hash: string }>(
        `delete from credit_purchases where chain = $1 and stream = $2 and block_number > $3
         returning transaction_hash`,
        [chain, stream, blockNumber],
      )
      return rows.map((row) => row.transaction_hash)
    },
  }
}

/** Purchases up to a block for which no credits were given yet, oldest first. */
export async function loadOpenPurchases(
  pool: pg.Pool,
  sale: CreditSale,
  upToBlock: number,
): Promise<PlacedPurchase[]> {
  const { rows } = await pool.query<{
    block_number: bigint
    log_index: number
    transaction_hash: string
    buyer: string
    value: string
    time: number
  }>(
    `select block_number, log_index, transaction_hash, buyer, value::text as value, time from credit_purchases
     where chain = $1 and stream = $2 and block_number <= $3 and not announced
     order by block_number, log_index limit 100`,
    [sale.chain, streamOf(sale), upToBlock],
  )
  return rows.map((row) => ({
    blockNumber: Number(row.block_number),
    logIndex: row.log_index,
    txHash: row.transaction_hash,
    buyer: row.buyer,
    value: BigInt(row.value),
    time: row.time,
  }))
}

export async function markAnnounced(
  pool: pg.Pool,
  sale: CreditSale,
  purchase: PlacedPurchase,
): Promise<void> {
  await pool.query(
    `update credit_purchases set announced = true
     where chain = $1 and stream = $2 and block_number = $3 and log_index = $4`,
    [sale.chain, streamOf(sale), purchase.blockNumber, purchase.logIndex],
  )
}
