import { setTimeout as sleep } from 'node:timers/promises'
import { type NetworkProfile, ProtocolError, type StoreContent } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { ContentFetcher } from '../context.ts'
import { inTransaction, isDatabaseAway } from '../database/pool.ts'
import type { CoreEvents } from '../events.ts'
import type { SignatureVerifier } from '../identity/signature-verifier.ts'
import type { Inbox } from '../inbox/inbox.ts'
import { replaceLookups } from '../state/lookups.ts'
import {
  claimDue,
  loadEnvelopes,
  markFetched,
  nextAttempt,
  postpone,
  removePending,
  untilNextDue,
} from '../state/pending.ts'
import { insertRejections } from '../state/rejections.ts'
import type { FileStore } from '../storage/file-store.ts'
import { affordableBytes } from './affordable-bytes.ts'
import type { Candidate } from './candidate.ts'
import { check, contentUnavailable } from './check.ts'
import { fileUnavailable } from './fetch.ts'
import { Signal } from './signal.ts'
import type { StoreFetchMetrics } from './store-fetch-metrics.ts'
import { lookAtMeans } from './unfetched.ts'

const concurrency = 10
const longestSleepMs = 3_000

export interface FetchWorkerOptions {
  pool: pg.Pool
  logger: Logger
  events: CoreEvents
  fileStore: FileStore
  fetcher: ContentFetcher
  inbox: Inbox
  verifier: Pick<SignatureVerifier, 'verify'>
  maxRetries: number
  profile: NetworkProfile
  metrics: StoreFetchMetrics
  /** Called when a message is ready to be processed. */
  onFetched: () => void
}

/** Brings in what pending messages name: contents that are not inline, files of STORE messages (protocol 02 §3.1). */
export class FetchWorker {
  readonly #options: FetchWorkerOptions
  readonly #signal = new Signal()
  readonly #running = new Map<bigint, Promise<void>>()
  readonly #abort = new AbortController()
  #loop: Promise<void> | undefined
  #refreshBalances: () => Promise<void> = async () => {}

  constructor(options: FetchWorkerOptions) {
    this.#options = options
  }

  /** @param refresh brings balances up to the head of the chain */
  useBalances(refresh: () => Promise<void>): void {
    this.#refreshBalances = refresh
  }

  async start(): Promise<void> {
    this.#loop = this.#run()
  }

  /** Abandons running downloads; their messages stay pending. */
  async stop(): Promise<void> {
    this.#abort.abort()
    this.#signal.give()
    await this.#loop
    await Promise.allSettled(this.#running.values())
  }

  wake(): void {
    this.#signal.give()
  }

  async #run(): Promise<void> {
    const { pool, logger } = this.#options
    while (!this.#abort.signal.aborted) {
      try {
        const free = concurrency - this.#running.size
        const due = free > 0 ? await this.#claim(free) : []
        for (const candidate of due) this.#begin(candidate)
        if (due.length === 0) {
          const next = (await untilNextDue(pool, { fetched: false })) ?? longestSleepMs
          // Messages being fetched are due all the time: their end is a signal, not a timer.
          const idleMs = this.#running.size > 0 ? longestSleepMs : next
          await this.#signal.wait(Math.min(longestSleepMs, Math.max(idleMs, 10)))
        }
      } catch (error) {
        logger[isDatabaseAway(error) ? 'warn' : 'error'](
          { err: error },
          'fetching is interrupted; trying again',
        )
        await sleep(500)
      }
    }
  }

  async #claim(limit: number): Promise<Candidate[]> {
    const { pool } = this.#options
    const due = await claimDue(pool, { fetched: false, limit, exclude: [...this.#running.keys()] })
    if (due.length === 0) return []
    const envelopes = await loadEnvelopes(
      pool,
      due.map(({ id }) => id),
    )
    return due.flatMap((row) => {
      const envelope = envelopes.get(row.id)
      return envelope ? [{ ...row, envelope }] : []
    })
  }

  #begin(candidate: Candidate): void {
    const id = candidate.id!
    const work = this.#fetch(candidate)
      .catch((error) => {
        this.#options.logger.warn({ err: error, item_hash: candidate.envelope.item_hash }, 'a fetch failed')
      })
      .finally(() => {
        this.#running.delete(id)
        this.#signal.give()
      })
    this.#running.set(id, work)
  }

  async #fetch(candidate: Candidate): Promise<void> {
    const { pool, profile } = this.#options
    const { envelope } = candidate
    try {
      await this.#checkSignature(candidate)
      if (envelope.item_type !== 'inline') {
        const here = await this.#obtain(envelope.item_hash, envelope.item_type, profile.limits.fileBytes)
        if (!here) throw contentUnavailable(envelope.item_hash)
      }
      await check([candidate], this.#options)
      if (candidate.outcome?.kind === 'failed') throw candidate.outcome.error
      if (envelope.type === 'STORE') await this.#measureFile(candidate)
      await markFetched(pool, candidate.id!)
      this.#options.onFetched()
    } catch (error) {
      if (this.#abort.signal.aborted) return
      await this.#fail(
        candidate,
        error instanceof ProtocolError ? error : fileUnavailable(envelope.item_hash),
      )
      if (!(error instanceof ProtocolError)) throw error
    }
  }

  /**
   * Again, because a door lets in what it could not check (F1 of protocol 02 §3.2): a smart wallet that was out of
   * reach. Only chains vouch for messages without a signature.
   */
  async #checkSignature({ envelope, origin }: Candidate): Promise<void> {
    if (origin === 'chain' && envelope.signature === null) return
    const verdict = await this.#options.verifier.verify(envelope)
    if (verdict.outcome !== 'valid') throw verdict.error
  }

  #measureFile(candidate: Candidate): Promise<void> {
    const { item_type: itemType } = candidate.parsed!.content as StoreContent
    return this.#options.metrics.measure(itemType, () => this.#obtainFile(candidate))
  }

  async #obtainFile(candidate: Candidate): Promise<void> {
    const { envelope, parsed, origin } = candidate
    const { fileStore, fetcher, profile } = this.#options
    const content = parsed!.content as StoreContent
    const { item_hash: hash, item_type: itemType } = content
    let maxBytes = itemType === 'ipfs' ? profile.limits.carBytes : profile.limits.fileBytes
    if (itemType === 'ipfs' && origin !== 'chain' && !(await fileStore.has(hash))) {
      const claimed = await fetcher.claimedSize?.(hash, { signal: this.#abort.signal })
      if (claimed) {
        candidate.fileSize = claimed.size
        lookAtMeans(candidate)
        const options = { ...this.#options, refreshBalances: this.#refreshBalances }
        maxBytes = await affordableBytes(envelope, content, claimed, options)
      }
    }
    if (!(await this.#obtain(hash, itemType, maxBytes))) throw fileUnavailable(hash)
  }

  async #obtain(hash: string, itemType: 'storage' | 'ipfs', maxBytes: number): Promise<boolean> {
    const { fileStore, fetcher } = this.#options
    if (await fileStore.has(hash)) return true
    const outcome = await fetcher.fetch(hash, itemType, { maxBytes, signal: this.#abort.signal })
    return outcome === 'stored'
  }

  async #fail(candidate: Candidate, error: ProtocolError): Promise<void> {
    const { pool, events, maxRetries, inbox } = this.#options
    const { errorCode, details } = error
    const failure = { candidate, errorCode, details }
    const { item_hash } = candidate.envelope
    if (error.retryable && candidate.retries < maxRetries) {
      const at = nextAttempt(candidate.retries)
      await postpone(pool, [{ ...failure, refetch: true, at }])
      events.emit('retry', [{ item_hash, errorCode, nextAttempt: at }])
      return
    }
    await inTransaction(pool, async (tx) => {
      await insertRejections(tx, [failure])
      await replaceLookups(tx, [candidate])
      await removePending(tx, [candidate])
    })
    inbox.settled(1)
    events.emit('rejected', [{ item_hash, errorCode, details }])
  }
}
