import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import { inTransaction } from '../database/pool.ts'
import { type BlockMark, type ChainSource, ChainSourceError, type FinalityPolicy } from './chain-source.ts'
import type { EventLedger } from './event-ledger.ts'
import { LogRange } from './log-range.ts'
import { ReadingPosition } from './reading-position.ts'

const firstRetryMs = 500
const lastRetryMs = 30_000
/** How often a head behind our position is looked at again before we believe that the chain got shorter. */
const shorterHeadChecks = 3
/** How often one pass starts over from a new head before it gives up until the next. */
const mostLooks = 12

export interface ChainReaderConfig<Event> {
  pool: pg.Pool
  source: ChainSource<Event>
  ledger: EventLedger<Event>
  /** Protocol code of the chain, such as `ETH`. */
  chain: string
  /** Name of this stream among those of the chain, such as `token`. */
  stream: string
  /** First block to read. */
  startBlock: number
  logger: Logger
  /** How often to look for new blocks, ms; default 2,000. */
  pollMs?: number
  /** Most blocks asked for at once; default 10,000. */
  maxRange?: number
  /** Default: read up to the head, 64 blocks may be taken back. */
  finality?: FinalityPolicy
  /** Called after the commit of a change, with the keys (such as addresses) that changed. Must not throw. */
  onChange?: (keys: string[]) => void
  /** Called after every step, for metrics. Must not throw. */
  onProgress?: (progress: ChainProgress) => void
}

/** Somebody else moved the stored position: two processes must not read for one database. */
export class PositionMovedError extends Error {
  readonly code = 'position_moved'
  constructor() {
    super('Another process reads the chain into this database: let only one do so')
  }
}

/** Where a reader stands. */
export interface ChainProgress {
  chain: string
  stream: string
  /** Last block read and committed; null before the first. */
  block: number | null
  /** Newest block of the chain; null as long as the chain has not answered. */
  head: number | null
  /** Why the last attempt failed; null when it went well. */
  error: string | null
}

/**
 * Follows one stream of events of one chain into a ledger, for ever.
 *
 * Each range of blocks is one transaction: events, position and hash of the last block. So it is safe to
 * kill, and each event counts once. When the chain replaces blocks, what came from them is taken back in
 * one transaction and read again. Outages are waited out.
 */
export class ChainReader<Event> {
  readonly #config: ChainReaderConfig<Event>
  readonly #position: ReadingPosition
  readonly #finality: FinalityPolicy
  readonly #pollMs: number
  readonly #range: LogRange
  readonly #stopping = new AbortController()
  readonly #firstSync = Promise.withResolvers<void>()
  #progress: ChainProgress
  #pass: Promise<void> = Promise.resolve()
  #nextPass: Promise<void> | undefined
  #loop: Promise<void> | undefined

  /** Prepares a reader; nothing is asked of the chain before `sync()` or `start()`. */
  constructor(config: ChainReaderConfig<Event>) {
    const { chain, stream } = config
    this.#config = config
    this.#position = new ReadingPosition(chain, stream)
    this.#finality = config.finality ?? { headLag: 0, reorgWindow: 64 }
    this.#pollMs = config.pollMs ?? 2_000
    const max = config.maxRange ?? 10_000
    this.#range = new LogRange({ initial: Math.min(2_000, max), max })
    this.#progress = { chain, stream, block: null, head: null, error: null }
    // `ready()` may never be asked for.
    this.#firstSync.promise.catch(() => undefined)
  }

  get progress(): ChainProgress {
    return this.#progress
  }

  /** Starts to follow the chain in the background; see `ready()`. */
  start(): void {
    this.#loop ??= this.#follow()
  }

  /** Resolves once the head has been reached for the first time, however long the chain is away. Rejects on `stop()`. */
  async ready(): Promise<void> {
    await this.#firstSync.promise
  }

  /**
   * Reads everything up to the chain's newest block of now. Calls that wait for their turn share one pass.
   *
   * @throws {ChainSourceError} when the chain does not answer
   */
  async sync(): Promise<void> {
    this.#nextPass ??= this.#pass
      .catch(() => undefined)
      .then(() => {
        this.#nextPass = undefined
        return this.#readToHead()
      })
      .then(
        () => {
          this.#report({ error: null })
          this.#firstSync.resolve()
        },
        (error: Error) => {
          this.#report({ error: error.message })
          throw error
        },
      )
    this.#pass = this.#nextPass
    await this.#pass
  }

  /** Ends; a range being committed is finished, requests to the chain are dropped. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#config.source.close()
    this.#firstSync.reject(new ChainSourceError('closed', 'The chain reader was stopped'))
    await this.#pass.catch(() => undefined)
    await this.#loop
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #follow(): Promise<void> {
    const { logger, chain, stream } = this.#config
    let retryMs = firstRetryMs
    while (!this.#stopping.signal.aborted) {
      try {
        await this.sync()
        retryMs = firstRetryMs
        await this.#pause(this.#pollMs)
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        logger.warn({ err: error, chain, stream, retryMs }, 'cannot read the chain now')
        await this.#pause(retryMs)
        retryMs = Math.min(retryMs * 2, lastRetryMs)
      }
    }
  }

  async #readToHead(): Promise<void> {
    let head = await this.#head()
    let settled: BlockMark | undefined
    for (let looks = 1; looks <= mostLooks; ) {
      if (this.#stopping.signal.aborted) throw new ChainSourceError('closed', 'The chain reader was stopped')
      const position = await this.#loadPosition()
      if (position && position.number > head.number && looks <= shorterHeadChecks) {
        // More often a server behind a load balancer that lags than a chain that lost blocks.
        await this.#pause(this.#pollMs)
      } else if (position && position.hash !== settled?.hash && !(await this.#isOnChain(position, head))) {
        await this.#retreat(position)
      } else {
        const from = position ? position.number + 1 : this.#config.startBlock
        const last = head.number - this.#finality.headLag
        if (from > last) return
        const end = await this.#readRange(position, from, last, head)
        if (end && end.number <= head.number - this.#finality.reorgWindow) settled = end
        if (end) continue
      }
      looks++
      head = await this.#head()
    }
    throw new ChainSourceError(
      'unreachable',
      `The end of the chain changed ${mostLooks} times while it was read`,
    )
  }

  /** @returns where it stands now; undefined when the chain moved under our feet and must be looked at again */
  async #readRange(
    position: BlockMark | undefined,
    from: number,
    last: number,
    head: BlockMark,
  ): Promise<BlockMark | undefined> {
    const { source } = this.#config
    const to = Math.min(last, from + this.#range.size - 1)
    const end = to === head.number ? head : await source.block(to)
    if (!end) return undefined
    let events: Event[]
    try {
      events = await source.events(from, to)
    } catch (error) {
      const isRefused = error instanceof ChainSourceError && error.code === 'refused'
      if (!isRefused || !this.#range.shrink(to - from + 1)) throw error
      return await this.#readRange(position, from, last, head)
    }
    const mayChange = to > head.number - this.#finality.reorgWindow
    // Blocks name their parents: with the same block at both ends before and after, the events between belong to it.
    if (mayChange && !(await this.#isSegment(position, end))) return undefined
    const full = to - from + 1 === this.#range.size
    await this.#commit(position, end, events, head)
    if (full) this.#range.grow()
    return end
  }

  async #isSegment(start: BlockMark | undefined, end: BlockMark): Promise<boolean> {
    const { source } = this.#config
    const [startNow, endNow] = await Promise.all([
      start && source.block(start.number),
      source.block(end.number),
    ])
    return endNow?.hash === end.hash && startNow?.hash === start?.hash
  }

  async #isOnChain(position: BlockMark, head: BlockMark): Promise<boolean> {
    if (position.number === head.number) return position.hash === head.hash
    return (await this.#config.source.block(position.number))?.hash === position.hash
  }

  async #commit(
    before: BlockMark | undefined,
    end: BlockMark,
    events: Event[],
    head: BlockMark,
  ): Promise<void> {
    const { pool, ledger, source, chain, onChange } = this.#config
    const changed = await inTransaction(pool, async (transaction) => {
      const current = await this.#position.load(transaction)
      if (current?.hash !== before?.hash) throw new PositionMovedError()
      const keys = await ledger.apply(transaction, chain, events)
      const keepAbove = head.number - this.#finality.reorgWindow
      await this.#position.advance(transaction, source.identity, end, keepAbove)
      return keys
    })
    this.#report({ block: end.number })
    if (changed.length > 0) onChange?.(changed)
  }

  /** Goes back to the newest place that is still on the chain, or to the start when none is. */
  async #retreat(position: BlockMark): Promise<void> {
    const { pool, ledger, source, chain, stream, logger, onChange } = this.#config
    let ancestor: BlockMark | undefined
    for (const mark of await this.#position.marks(pool)) {
      if ((await source.block(mark.number))?.hash === mark.hash) {
        ancestor = mark
        break
      }
    }
    const changed = await inTransaction(pool, async (transaction) => {
      const current = await this.#position.load(transaction)
      if (current?.hash !== position.hash) throw new PositionMovedError()
      const keys = await ledger.revertAbove(transaction, chain, ancestor?.number ?? -1)
      await this.#position.retreat(transaction, ancestor)
      return keys
    })
    logger.warn(
      { chain, stream, from: position.number, to: ancestor?.number ?? null },
      'the chain replaced blocks; reading them again',
    )
    this.#report({ block: ancestor?.number ?? null })
    if (changed.length > 0) onChange?.(changed)
  }

  /** The stored position; another source than the stored one empties the ledger first. */
  async #loadPosition(): Promise<BlockMark | undefined> {
    const { pool, ledger, source, chain, stream, logger, onChange } = this.#config
    const stored = await this.#position.load(pool)
    if (stored === undefined || stored.source === source.identity) {
      if (this.#progress.block === null && stored) this.#report({ block: stored.number })
      return stored
    }
    logger.warn(
      { chain, stream, from: stored.source, to: source.identity },
      'another source; reading it anew',
    )
    const changed = await inTransaction(pool, async (transaction) => {
      const keys = await ledger.revertAbove(transaction, chain, -1)
      await this.#position.retreat(transaction, undefined)
      return keys
    })
    if (changed.length > 0) onChange?.(changed)
    return undefined
  }

  async #head(): Promise<BlockMark> {
    const head = await this.#config.source.head()
    this.#report({ head: head.number })
    return head
  }

  #report(news: Partial<ChainProgress>): void {
    this.#progress = { ...this.#progress, ...news }
    this.#config.onProgress?.(this.#progress)
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}
