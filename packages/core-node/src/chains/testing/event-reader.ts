import { ChainReader } from '../chain-reader.ts'
import type { ChainSource, FinalityPolicy } from '../chain-source.ts'
import type { ContractEvent } from '../contract-event.ts'
import { contractEventLedger } from '../contract-event-ledger.ts'
import { type ChainDatabase, silentLogger } from './chain-database.ts'

/** A reader of contract events into a test's database. */
export function eventReader(options: {
  database: ChainDatabase
  chain: string
  source: ChainSource<ContractEvent>
  startBlock: number
  finality: FinalityPolicy
  maxRange?: number
}): ChainReader<ContractEvent> {
  const { database, ...rest } = options
  return new ChainReader({
    ...rest,
    pool: database.pool,
    logger: silentLogger,
    stream: 'messages',
    ledger: contractEventLedger('messages'),
    pollMs: 5,
  })
}
