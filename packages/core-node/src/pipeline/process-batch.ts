import { errorCodes, type NetworkProfile } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Logger } from 'pino'
import { inTransaction, isDatabaseAway } from '../database/pool.ts'
import type { ForgottenMessage } from '../state/forgets.ts'
import { settledHashes } from '../state/messages.ts'
import { nextAttempt, postpone, type Retry, removePending, wakeWaiting } from '../state/pending.ts'
import { insertRejections, type Rejection } from '../state/rejections.ts'
import type { FileStore } from '../storage/file-store.ts'
import { apply } from './apply.ts'
import { authorise } from './authorise.ts'
import { alive, type Candidate } from './candidate.ts'
import { check } from './check.ts'
import { type FileSizes, locateFiles } from './fetch.ts'
import { independentGroups, makes } from './groups.ts'
import { price } from './price.ts'
import { resolve } from './resolve.ts'

export interface ProcessingTools {
  pool: pg.Pool
  profile: NetworkProfile
  fileStore: FileStore
  logger: Logger
  maxRetries: number
  /** Hashes that some pending message waits for; kept up to date here. */
  waitedFor: Set<string>
}

export interface BatchResult {
  processed: Candidate[]
  rejected: Rejection[]
  retried: (Retry & { at: Date })[]
  forgotten: ForgottenMessage[]
  /** Messages to look at again once balances have been read from the chain. */
  unpaid: bigint[]
  /** Pending rows that are gone now. */
  settled: number
}

/**
 * Takes a batch of pending messages through the road, check → fetch → authorise → price → apply, in one transaction.
 * A message that breaks the transaction itself is found by halving and fails alone.
 *
 * @param firstSeq log position of the first message that will be processed
 */
export async function processBatch(
  candidates: Candidate[],
  firstSeq: bigint,
  tools: ProcessingTools,
): Promise<BatchResult> {
  await check(candidates, tools.fileStore)
  const fileSizes = await locateFiles(candidates, tools.fileStore)
  const early = candidates.map((candidate) => candidate.outcome)
  try {
    return await inTransaction(tools.pool, (tx) =>
      processInTransaction(tx, candidates, firstSeq, fileSizes, tools),
    )
  } catch (error) {
    if (isDatabaseAway(error)) throw error
    for (const [index, candidate] of candidates.entries()) {
      candidate.outcome = early[index]
      candidate.seq = undefined
    }
    return candidates.length === 1
      ? failAlone(candidates[0]!, error, tools)
      : processHalves(candidates, firstSeq, tools)
  }
}

async function processHalves(
  candidates: Candidate[],
  firstSeq: bigint,
  tools: ProcessingTools,
): Promise<BatchResult> {
  const middle = Math.ceil(candidates.length / 2)
  const first = await processBatch(candidates.slice(0, middle), firstSeq, tools)
  const next = firstSeq + BigInt(first.processed.length)
  const second = await processBatch(candidates.slice(middle), next, tools)
  return {
    processed: [...first.processed, ...second.processed],
    rejected: [...first.rejected, ...second.rejected],
    retried: [...first.retried, ...second.retried],
    forgotten: [...first.forgotten, ...second.forgotten],
    unpaid: [...first.unpaid, ...second.unpaid],
    settled: first.settled + second.settled,
  }
}

async function failAlone(candidate: Candidate, error: unknown, tools: ProcessingTools): Promise<BatchResult> {
  tools.logger.error({ err: error, item_hash: candidate.envelope.item_hash }, 'a message cannot be processed')
  const reason = error instanceof Error ? error.message : String(error)
  const failure = { candidate, errorCode: errorCodes.INTERNAL_ERROR, details: { errors: [reason] } }
  const retry = { ...failure, refetch: false, at: nextAttempt(candidate.retries) }
  const isLast = candidate.retries >= tools.maxRetries
  await inTransaction(tools.pool, (tx) => (isLast ? refuse(tx, [failure]) : postpone(tx, [retry])))
  return {
    processed: [],
    rejected: isLast ? [failure] : [],
    retried: isLast ? [] : [retry],
    forgotten: [],
    unpaid: [],
    settled: isLast ? 1 : 0,
  }
}

async function processInTransaction(
  tx: pg.PoolClient,
  candidates: Candidate[],
  firstSeq: bigint,
  fileSizes: FileSizes,
  tools: ProcessingTools,
): Promise<BatchResult> {
  await dropCopies(tx, candidates)
  const processed: Candidate[] = []
  const forgotten: ForgottenMessage[] = []
  for (const group of independentGroups(alive(candidates))) {
    await authorise(tx, group, tools.profile)
    await resolve(tx, group)
    await price(tx, group, tools.profile, fileSizes)
    const passed = alive(group)
    forgotten.push(...(await apply(tx, passed, firstSeq + BigInt(processed.length), fileSizes)))
    processed.push(...passed)
  }
  const duplicates = candidates.filter((candidate) => candidate.outcome?.kind === 'duplicate')
  const { rejected, retried } = sortFailures(candidates, tools.maxRetries)
  await removePending(tx, [...processed, ...duplicates])
  if (rejected.length > 0) await refuse(tx, rejected)
  if (retried.length > 0) await postpone(tx, retried)
  await wake(tx, processed, rejected, tools.waitedFor)
  for (const retry of retried) for (const hash of retry.waitsFor ?? []) tools.waitedFor.add(hash)
  const settled = processed.length + duplicates.length + rejected.length
  const unpaid = candidates.filter(isUnpaid).map((candidate) => candidate.id)
  return { processed, rejected, retried, forgotten, unpaid, settled }
}

function isUnpaid({ outcome }: Candidate): boolean {
  return outcome?.kind === 'deferred' && outcome.until === 'balances are fresh'
}

/** A message is processed once: copies of what the state knows are dropped, copies within the batch wait. */
async function dropCopies(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const known = await settledHashes(
    tx,
    candidates.map((candidate) => candidate.envelope.item_hash),
  )
  const seen = new Set<string>()
  for (const candidate of candidates) {
    const hash = candidate.envelope.item_hash
    if (known.has(hash)) candidate.outcome = { kind: 'duplicate' }
    else if (seen.has(hash)) candidate.outcome = { kind: 'deferred', until: 'its copy is settled' }
    seen.add(hash)
  }
}

function sortFailures(
  candidates: Candidate[],
  maxRetries: number,
): Pick<BatchResult, 'rejected' | 'retried'> {
  const rejected: Rejection[] = []
  const retried: (Retry & { at: Date })[] = []
  for (const candidate of candidates) {
    if (candidate.outcome?.kind !== 'failed') continue
    const { error, waitsFor, refetch = false } = candidate.outcome
    const failure = { candidate, errorCode: error.errorCode, details: error.details }
    if (!error.retryable || candidate.retries >= maxRetries) rejected.push(failure)
    // The fetch stage has its own pace: it begins at once.
    else
      retried.push({
        ...failure,
        waitsFor,
        refetch,
        at: refetch ? new Date() : nextAttempt(candidate.retries),
      })
  }
  return { rejected, retried }
}

async function refuse(tx: pg.PoolClient, rejections: Rejection[]): Promise<void> {
  await insertRejections(tx, rejections)
  await removePending(
    tx,
    rejections.map((rejection) => rejection.candidate),
  )
}

/** Lets messages go on that waited for what this batch settled. */
async function wake(
  tx: pg.PoolClient,
  processed: Candidate[],
  rejected: Rejection[],
  waitedFor: Set<string>,
): Promise<void> {
  if (waitedFor.size === 0) return
  const settled = [
    ...processed.flatMap(makes),
    ...rejected.map(({ candidate }) => candidate.envelope.item_hash),
  ]
  const awaited = settled.filter((name) => waitedFor.has(name))
  if (awaited.length === 0) return
  await wakeWaiting(tx, awaited)
  for (const name of awaited) waitedFor.delete(name)
}
