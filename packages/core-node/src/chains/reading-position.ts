import type { BlockMark } from './chain-source.ts'
import type { Queryable } from './queryable.ts'

interface MarkRow {
  block_number: bigint
  block_hash: string
}

/** Where one stream of a chain's events stands: the last block read, and recent ones to go back to. */
export class ReadingPosition {
  readonly #chain: string
  readonly #stream: string

  constructor(chain: string, stream: string) {
    this.#chain = chain
    this.#stream = stream
  }

  /** The last block read and where from; undefined before the first. Locks the row until the transaction ends. */
  async load(transaction: Queryable): Promise<(BlockMark & { source: string }) | undefined> {
    const { rows } = await transaction.query<MarkRow & { source: string }>(
      `select source, block_number, block_hash from chain_cursors
       where chain = $1 and stream = $2 for update`,
      [this.#chain, this.#stream],
    )
    const row = rows[0]
    return row && { ...markOf(row), source: row.source }
  }

  /** Recent blocks at which reading stopped, newest first. */
  async marks(db: Queryable): Promise<BlockMark[]> {
    const { rows } = await db.query<MarkRow>(
      `select block_number, block_hash from chain_blocks
       where chain = $1 and stream = $2 order by block_number desc`,
      [this.#chain, this.#stream],
    )
    return rows.map(markOf)
  }

  /** Everything up to `mark` has been read. Of the marks below `keepAbove` only the newest stays. */
  async advance(transaction: Queryable, source: string, mark: BlockMark, keepAbove: number): Promise<void> {
    const key = [this.#chain, this.#stream]
    await transaction.query(
      `insert into chain_cursors (chain, stream, source, block_number, block_hash)
       values ($1, $2, $3, $4, $5)
       on conflict (chain, stream) do update set source = excluded.source,
         block_number = excluded.block_number, block_hash = excluded.block_hash, updated_at = now()`,
      [...key, source, mark.number, mark.hash],
    )
    await transaction.query(
      'insert into chain_blocks (chain, stream, block_number, block_hash) values ($1, $2, $3, $4)',
      [...key, mark.number, mark.hash],
    )
    await transaction.query(
      `delete from chain_blocks where chain = $1 and stream = $2 and block_number < (
         select max(block_number) from chain_blocks where chain = $1 and stream = $2 and block_number <= $3)`,
      [...key, keepAbove],
    )
  }

  /** Goes back to one of the marks, or, without one, to before the first block. */
  async retreat(transaction: Queryable, mark: BlockMark | undefined): Promise<void> {
    const key = [this.#chain, this.#stream]
    await transaction.query(
      'delete from chain_blocks where chain = $1 and stream = $2 and block_number > $3',
      [...key, mark?.number ?? -1],
    )
    if (mark) {
      await transaction.query(
        `update chain_cursors set block_number = $3, block_hash = $4, updated_at = now()
         where chain = $1 and stream = $2`,
        [...key, mark.number, mark.hash],
      )
    } else {
      await transaction.query('delete from chain_cursors where chain = $1 and stream = $2', key)
    }
  }
}

function markOf(row: MarkRow): BlockMark {
  return { number: Number(row.block_number), hash: row.block_hash }
}
