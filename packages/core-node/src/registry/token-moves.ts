import type { BalanceEvent } from '@aleph-ts/protocol'
import type { Queryable } from '../chains/queryable.ts'
import { stakingChain } from '../chains/staking-token.ts'

/** Blocks after the first and up to the second, which is included. */
export interface BlockRange {
  after: number
  upTo: number
}

const nobody = '0x0000000000000000000000000000000000000000'
const unitDecimals = 18

/** What each block moved from and to addresses, one event a block. */
export async function loadTokenMoves(
  db: Queryable,
  range: BlockRange,
  decimals: number,
): Promise<BalanceEvent[]> {
  const { rows } = await db.query<{ block_number: bigint; address: string; amount: string }>(
    `select block_number, address, sum(value)::text as amount from (
       select block_number, recipient as address, value from token_transfers
       where chain = $1 and block_number > $2 and block_number <= $3
       union all
       select block_number, sender, -value from token_transfers
       where chain = $1 and block_number > $2 and block_number <= $3
     ) moves
     where address <> $4 group by block_number, address having sum(value) <> 0
     order by block_number, address collate "C"`,
    [stakingChain, range.after, range.upTo, nobody],
  )
  const blocks = Map.groupBy(rows, (row) => row.block_number)
  return [...blocks].map(([height, moves]) => ({
    kind: 'balances',
    platform: stakingChain,
    mode: 'move',
    height: Number(height),
    time: 0,
    itemHash: '',
    balances: new Map(moves.map(({ address, amount }) => [address, inUnits(amount, decimals)])),
  }))
}

/** The block up to which at most `limit` transfers are, whole blocks only; the end of the range when they are fewer. */
export async function endOfTransfers(db: Queryable, range: BlockRange, limit: number): Promise<number> {
  const { rows } = await db.query<{ block_number: bigint }>(
    `select block_number from token_transfers where chain = $1 and block_number > $2 and block_number <= $3
     order by block_number offset $4 limit 1`,
    [stakingChain, range.after, range.upTo, limit - 1],
  )
  return rows[0] ? Number(rows[0].block_number) : range.upTo
}

/** The last block whose transfers are known; −1 before the first. */
export async function lastBlockRead(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ block_number: bigint }>(
    `select block_number from chain_cursors where chain = $1 and stream = 'token'`,
    [stakingChain],
  )
  return rows[0] ? Number(rows[0].block_number) : -1
}

function inUnits(amount: string, decimals: number): bigint {
  const value = BigInt(amount)
  return decimals <= unitDecimals
    ? value * 10n ** BigInt(unitDecimals - decimals)
    : value / 10n ** BigInt(decimals - unitDecimals)
}
