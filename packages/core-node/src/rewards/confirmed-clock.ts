import type { Queryable } from '../chains/queryable.ts'
import { stakingChain } from '../chains/staking-token.ts'

/**
 * What time it was at which block, told by the transactions of the sync contract: they carry the time of their block,
 * and every node reads the same ones. So all nodes cut a day at the same block.
 */
export interface ConfirmedClock {
  /** Time of the newest transaction, epoch seconds; null before the first. */
  now: number | null
  /** Time of the first one. */
  start: number | null
}

export async function readClock(db: Queryable): Promise<ConfirmedClock> {
  const { rows } = await db.query<{ now: number | null; start: number | null }>(
    `select extract(epoch from max(datetime))::float8 as now, extract(epoch from min(datetime))::float8 as start
     from chain_txs where chain = $1`,
    [stakingChain],
  )
  return rows[0]!
}

/** For each time (epoch seconds) the last block that the clock knows by then; −1 before the first. */
export async function heightsAt(db: Queryable, times: readonly number[]): Promise<number[]> {
  const { rows } = await db.query<{ height: bigint | null }>(
    `select (select max(height) from chain_txs where chain = $1 and datetime <= to_timestamp(t.time)) as height
     from unnest($2::float8[]) with ordinality as t(time, position) order by t.position`,
    [stakingChain, times],
  )
  return rows.map(({ height }) => (height === null ? -1 : Number(height)))
}

/** Whether every message that the chain carries up to a block is in the state. */
export async function isSettledUpTo(db: Queryable, height: number): Promise<boolean> {
  const { rows } = await db.query<{ open: boolean }>(
    `select exists (select from contract_events where chain = $1 and not settled and block_number <= $2)
       or exists (select from pending_messages) as open`,
    [stakingChain, height],
  )
  return !rows[0]!.open
}
