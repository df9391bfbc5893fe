import type { Chain } from '@aleph-ts/protocol'
import { forgetConfirmations, recordTransactions } from '../state/confirmations.ts'
import type { ContractEvent } from './contract-event.ts'
import type { EventLedger } from './event-ledger.ts'
import type { Queryable } from './queryable.ts'

/** Keeps what one stream of contract events said until it has been taken in; its keys are transaction hashes. */
export function contractEventLedger(stream: string): EventLedger<ContractEvent> {
  return {
    async apply(transaction, chain, events) {
      if (events.length === 0) return []
      await recordTransactions(
        transaction,
        events.map((event) => ({
          hash: event.txHash,
          chain: chain as Chain,
          height: event.height,
          time: event.time,
          publisher: event.publisher,
          protocol: event.protocol,
          protocolVersion: event.protocolVersion,
          content: JSON.stringify(event.content),
        })),
      )
      await transaction.query(
        `insert into contract_events (chain, stream, block_number, position, tx_hash, datetime, publisher, protocol,
           protocol_version, content)
         select $1, $2, block_number, position, tx_hash, to_timestamp(time), publisher, protocol, version, content::json
         from unnest($3::bigint[], $4::int[], $5::text[], $6::float8[], $7::text[], $8::text[], $9::int[], $10::text[])
           as t(block_number, position, tx_hash, time, publisher, protocol, version, content)
         on conflict do nothing`,
        [
          chain,
          stream,
          events.map((event) => event.blockNumber),
          events.map((event) => event.position),
          events.map((event) => event.txHash),
          events.map((event) => event.time),
          events.map((event) => event.publisher),
          events.map((event) => event.protocol),
          events.map((event) => event.protocolVersion),
          events.map((event) => JSON.stringify(event.content)),
        ],
      )
      return events.map((event) => event.txHash)
    },

    async revertAbove(transaction, chain, blockNumber) {
      const { rows } = await transaction.query<{ tx_hash: string; content: unknown }>(
        `delete from contract_events where chain = $1 and stream = $2 and block_number > $3
         returning tx_hash, content`,
        [chain, stream, blockNumber],
      )
      const hashes = [...new Set(rows.map((row) => row.tx_hash))]
      await forgetConfirmations(transaction, hashes)
      await transaction.query(`delete from file_pins where type = 'tx' and item_hash = any($1)`, [hashes])
      await reopenBatches(transaction, rows)
      return hashes
    },
  }
}

/** A batch of ours whose event is gone must be watched, and maybe sent, again. */
async function reopenBatches(transaction: Queryable, events: { content: unknown }[]): Promise<void> {
  const archives = events.flatMap(({ content }) => (typeof content === 'string' ? content : []))
  if (archives.length === 0) return
  await transaction.query('update packed_batches set done = false where file_hash = any($1)', [archives])
}
