import { placeAt } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { CoreNodeContext } from '../context.ts'
import { inTransaction } from '../database/pool.ts'
import type { ProcessWorker } from '../pipeline/process-worker.ts'
import { dropExpiredFiles, dropUnpinnedFiles, graceSeconds, knownFiles } from '../state/files.ts'
import { eraseForgotten } from '../state/forgets.ts'
import { dropOldMetrics } from '../state/metrics-rows.ts'
import { type RemovalNotice, removeSuspended } from '../state/removals.ts'

const periodMs = 24 * 3600 * 1000
const expiryPeriodMs = 5 * 60 * 1000
const hashesPerQuestion = 500
/** An upload that began before may be about to be recorded, ms. */
const unrecordedMs = 60_000

/**
 * Deletes what nothing keeps (protocol 02 §16): uploads nobody claimed, files and contents of forgotten messages, what
 * is not paid for, abandoned downloads. Rows go first, bytes after: a file is never missing that a row promises.
 */
export class GarbageCollector {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'fileStore' | 'events' | 'logger'>
  readonly #worker: Pick<ProcessWorker, 'exclusively'>
  readonly #timers: NodeJS.Timeout[] = []
  #running: Promise<void> = Promise.resolve()

  constructor(
    context: Pick<CoreNodeContext, 'pool' | 'fileStore' | 'events' | 'logger'>,
    worker: Pick<ProcessWorker, 'exclusively'>,
  ) {
    this.#context = context
    this.#worker = worker
  }

  start(): void {
    this.#every(periodMs, () => this.collect())
    this.#every(expiryPeriodMs, () => this.dropExpired())
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await this.#running
  }

  /** Deletes files whose time of grace is over. */
  async dropExpired(now = Date.now()): Promise<void> {
    const { pool, fileStore } = this.#context
    // Meanwhile no message is processed that would claim one of them.
    await this.#worker.exclusively(async () => {
      const hashes = await inTransaction(pool, (tx) => dropExpiredFiles(tx, new Date(now)))
      for (const hash of hashes) {
        const writtenAt = await fileStore.writtenAt(hash)
        if (writtenAt && now - writtenAt.getTime() > unrecordedMs) await fileStore.delete(hash)
      }
    })
  }

  /** One round. Files younger than the grace period stay: their row may be about to be written. */
  async collect(now = Date.now()): Promise<void> {
    const { pool, events } = this.#context
    const removed = await this.#worker.exclusively(() =>
      inTransaction(pool, (tx) => dropWhatNothingKeeps(tx, new Date(now))),
    )
    if (removed.length > 0) events.emit('removed', removed)
    let batch: string[] = []
    for await (const hash of this.#context.fileStore.list()) {
      batch.push(hash)
      if (batch.length < hashesPerQuestion) continue
      await this.#sweep(batch, now)
      batch = []
    }
    await this.#sweep(batch, now)
  }

  #every(milliseconds: number, work: () => Promise<void>): void {
    const timer = setInterval(() => {
      this.#running = this.#running.then(work).catch((error) => {
        this.#context.logger.warn({ err: error }, 'unused files were not deleted')
      })
    }, milliseconds)
    timer.unref()
    this.#timers.push(timer)
  }

  async #sweep(hashes: string[], now: number): Promise<void> {
    const { pool, fileStore } = this.#context
    const known = await knownFiles(pool, hashes)
    for (const hash of hashes) {
      if (known.has(hash)) continue
      const writtenAt = await fileStore.writtenAt(hash)
      if (writtenAt && now - writtenAt.getTime() > graceSeconds * 1000) await fileStore.delete(hash)
    }
  }
}

/** @returns messages removed for want of payment */
async function dropWhatNothingKeeps(tx: pg.PoolClient, now: Date): Promise<RemovalNotice[]> {
  await eraseForgotten(tx, now)
  await dropOldMetrics(tx, now)
  await dropUnpinnedFiles(tx, now)
  const removed = await removeSuspended(tx, placeAt(now.getTime() / 1000))
  // Contents of removed messages lost their pins just now.
  if (removed.length > 0) await dropUnpinnedFiles(tx, now)
  return removed
}
