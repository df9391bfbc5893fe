import { type Cid, verifyBlock } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Logger } from 'pino'
import { inTransaction, isDatabaseAway } from '../database/pool.ts'
import type { FileStore } from '../storage/file-store.ts'
import type { StoredBlock } from '../storage/stored-blocks.ts'
import { maxExchangedBlockBytes } from './message.ts'

const rowsPerInsert = 1_000
/** How often it is looked for files that are new, ms. */
const periodMs = 1_000
const filesPerLook = 20

/** Where a block is. */
export interface BlockRow {
  digest: Buffer
  file_hash: string
  at: bigint
  length: number
  bytes: Buffer | null
}

export interface BlockCatalogueOptions {
  pool: pg.Pool
  fileStore: Pick<FileStore, 'blocks' | 'readBlock'>
  logger: Logger
}

/** Finds any block of the files that are known by a CID, wherever in a file it is. */
export class BlockCatalogue {
  readonly #options: BlockCatalogueOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isStopped = false
  /** Told of blocks that are now here, by the hex of their digests. */
  onEntered: (keys: ReadonlySet<string>) => void = () => {}

  constructor(options: BlockCatalogueOptions) {
    this.#options = options
  }

  /** Enters the blocks of files as they come. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.enterNewFiles()
        .catch((error) => this.#options.logger.warn({ err: error }, 'blocks were not entered'))
        .finally(() => {
          this.#running = undefined
        })
    }, periodMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#running
  }

  /** Which of the blocks are here, by the hex of their digests; {@link read} reads one. */
  async find(cids: Cid[]): Promise<Map<string, BlockRow>> {
    const { rows } = await this.#options.pool.query<BlockRow>({
      name: 'find-blocks',
      text: `select distinct on (digest) digest, file_hash, at, length, bytes from ipfs_blocks where digest = any($1)`,
      values: [cids.map((cid) => cid.multihash.digest)],
    })
    return new Map(rows.map((row) => [row.digest.toString('hex'), row]))
  }

  /** The bytes of a block that was found, verified; undefined when its file is gone or damaged. */
  async read(cid: Cid, found: BlockRow): Promise<Uint8Array | undefined> {
    const { fileStore, logger } = this.#options
    const place = { offset: Number(found.at), length: found.length }
    try {
      const bytes = found.bytes ?? (await fileStore.readBlock(found.file_hash, place))
      if (bytes) verifyBlock(cid, bytes)
      return bytes
    } catch (error) {
      logger.warn({ err: error, cid: cid.toString(), file: found.file_hash }, 'a stored block cannot be read')
      return undefined
    }
  }

  /** One block, verified; undefined when it is not here. */
  async get(cid: Cid): Promise<Uint8Array | undefined> {
    const [found] = (await this.find([cid])).values()
    return found && this.read(cid, found)
  }

  /** Enters the blocks of all files that are new. */
  async enterNewFiles(): Promise<void> {
    const { pool } = this.#options
    while (!this.#isStopped) {
      const { rows } = await pool.query<{ file_hash: string }>(
        `select file_hash from ipfs_uncatalogued limit ${filesPerLook}`,
      )
      if (rows.length === 0) return
      for (const row of rows)
        await this.#enter(row.file_hash).catch((error) => this.#skip(row.file_hash, error))
    }
  }

  /** A damaged file must not keep others from being entered. */
  async #skip(hash: string, error: unknown): Promise<void> {
    const { pool, logger } = this.#options
    if (isDatabaseAway(error)) throw error
    logger.warn({ err: error, file: hash }, 'the blocks of a file cannot be entered')
    await pool.query('delete from ipfs_uncatalogued where file_hash = $1', [hash])
  }

  /** Again after a crash on the way: blocks that were entered already stay. */
  async #enter(hash: string): Promise<void> {
    const { pool, fileStore } = this.#options
    let batch: StoredBlock[] = []
    for await (const block of fileStore.blocks(hash)) {
      if (this.#isStopped) return
      if (block.place.length <= maxExchangedBlockBytes) batch.push(block)
      if (batch.length < rowsPerInsert) continue
      await insertBlocks(pool, hash, batch)
      this.onEntered(keysOf(batch))
      batch = []
    }
    await inTransaction(pool, async (tx) => {
      await insertBlocks(tx, hash, batch)
      await tx.query('delete from ipfs_uncatalogued where file_hash = $1', [hash])
    })
    this.onEntered(keysOf(batch))
  }
}

function keysOf(blocks: StoredBlock[]): Set<string> {
  return new Set(blocks.map(({ digest }) => Buffer.from(digest).toString('hex')))
}

/** Blocks of a file that the state has dropped meanwhile are left out. */
async function insertBlocks(
  tx: pg.Pool | pg.PoolClient,
  fileHash: string,
  blocks: StoredBlock[],
): Promise<void> {
  await tx.query(
    `insert into ipfs_blocks (digest, file_hash, at, length, bytes)
     select b.digest, f.hash, b.at, b.length, b.bytes
     from unnest($2::bytea[], $3::bigint[], $4::int[], $5::bytea[]) as b(digest, at, length, bytes)
     join files f on f.hash = $1
     on conflict do nothing`,
    [
      fileHash,
      blocks.map(({ digest }) => digest),
      blocks.map(({ place }) => place.offset),
      blocks.map(({ place }) => place.length),
      blocks.map(({ bytes }) => bytes ?? null),
    ],
  )
}
