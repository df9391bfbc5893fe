import { errorCodes, type NetworkProfile } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Logger } from 'pino'
import { inTransaction, isDatabaseAway } from '../database/pool.ts'
import { firstConfirmations, takeChangedConfirmations } from '../state/confirmations.ts'
import type { ForgottenMessage } from '../state/forgets.ts'
import { loadJudged } from '../state/judged.ts'
import { knownHashes } from '../state/messages.ts'
import { nextAttempt, postpone, type Retry, removePending, wakeWaiting } from '../state/pending.ts'
import { insertRejections, type Rejection } from '../state/rejections.ts'
import { addStaleVerdicts, takeStaleVerdicts } from '../state/stale-verdicts.ts'
import type { FileStore } from '../storage/file-store.ts'
import { alive, type Candidate, hashOf, isFresh } from './candidate.ts'
import { check } from './check.ts'
import { takeConfirmedCopies } from './confirmed-copy.ts'
import { locateFiles } from './fetch.ts'
import { keepInline } from './inline-form.ts'
import { keepFresh } from './keep-fresh.ts'
import { namesMade, prepare } from './order.ts'
import { reviewUnfetched } from './unfetched.ts'
import { asRejection, notAmong, reachVerdicts } from './verdicts.ts'

export interface ProcessingTools {
  pool: pg.Pool
  profile: NetworkProfile
  fileStore: Pick<FileStore, 'stat' | 'readBytes'>
  logger: Logger
  maxRetries: number
  /** Hashes that some pending message waits for; kept up to date here. */
  waitedFor: Set<string>
  /** Whether verdicts may wait in the database to be reached again; kept up to date here. */
  stale: { some: boolean }
}

export interface BatchResult {
  processed: Candidate[]
  rejected: Rejection[]
  retried: (Retry & { at: Date })[]
  forgotten: ForgottenMessage[]
  /** Messages to look at again once balances have been read from the chain. */
  unpaid: bigint[]
  /** Log position of the next message. */
  nextSeq: bigint
  /** Messages that wait no longer, or only as a copy that waited before, less refused ones that wait again. */
  settled: number
  /** Refused messages that wait for their file again. */
  readmitted: number
  /** Stored messages may be due at other times than before. */
  pendingChanged: boolean
}

/**
 * Takes a batch of pending messages through the road, check → fetch → judge → apply, in one transaction, together with
 * whatever must be judged again because of them. A message that breaks the transaction itself is found by halving and
 * fails alone.
 *
 * @param firstSeq log position of the first message that will be processed
 */
export async function processBatch(
  candidates: Candidate[],
  firstSeq: bigint,
  tools: ProcessingTools,
): Promise<BatchResult> {
  await check(candidates, tools)
  await locateFiles(candidates, tools.fileStore)
  const before = candidates.map(({ id, outcome }) => ({ id, outcome }))
  try {
    return await inTransaction(tools.pool, (tx) => processInTransaction(tx, candidates, firstSeq, tools))
  } catch (error) {
    if (isDatabaseAway(error)) throw error
    for (const [index, candidate] of candidates.entries()) {
      Object.assign(candidate, before[index], { seq: undefined })
    }
    if (candidates.length === 0) throw error
    return candidates.length === 1
      ? failAlone(candidates[0]!, firstSeq, error, tools)
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
  const second = await processBatch(candidates.slice(middle), first.nextSeq, tools)
  return {
    processed: [...first.processed, ...second.processed],
    rejected: [...first.rejected, ...second.rejected],
    retried: [...first.retried, ...second.retried],
    forgotten: [...first.forgotten, ...second.forgotten],
    unpaid: [...first.unpaid, ...second.unpaid],
    nextSeq: second.nextSeq,
    settled: first.settled + second.settled,
    readmitted: first.readmitted + second.readmitted,
    pendingChanged: first.pendingChanged || second.pendingChanged,
  }
}

async function failAlone(
  candidate: Candidate,
  nextSeq: bigint,
  error: unknown,
  tools: ProcessingTools,
): Promise<BatchResult> {
  tools.logger.error({ err: error, item_hash: hashOf(candidate) }, 'a message cannot be processed')
  const reason = error instanceof Error ? error.message : String(error)
  const failure = { candidate, errorCode: errorCodes.INTERNAL_ERROR, details: { errors: [reason] } }
  const retry = { ...failure, refetch: false, at: nextAttempt(candidate.retries) }
  const isLast = candidate.retries >= tools.maxRetries
  const merged = await inTransaction(tools.pool, async (tx) => {
    if (isLast) return refuse(tx, [failure])
    const sharesRow = await keepFresh(tx, [candidate].filter(isFresh))
    await postpone(tx, [retry])
    return sharesRow
  })
  return {
    processed: [],
    rejected: isLast ? [failure] : [],
    retried: isLast ? [] : [retry],
    forgotten: [],
    unpaid: [],
    nextSeq,
    settled: isLast ? 1 : (merged ?? 0),
    readmitted: 0,
    pendingChanged: !isLast,
  }
}

async function refuse(tx: pg.PoolClient, rejections: Rejection[]): Promise<void> {
  await insertRejections(tx, rejections)
  await removePending(
    tx,
    rejections.map((rejection) => rejection.candidate),
  )
}

async function processInTransaction(
  tx: pg.PoolClient,
  candidates: Candidate[],
  firstSeq: bigint,
  tools: ProcessingTools,
): Promise<BatchResult> {
  await dropCopies(tx, candidates)
  const confirmations = await firstConfirmations(tx, candidates.map(hashOf))
  for (const candidate of candidates) candidate.confirmed = confirmations.get(hashOf(candidate))
  await takeConfirmedCopies(tx, candidates)
  await keepInline(tx, candidates)
  const unready = candidates.filter((candidate) => candidate.outcome?.kind === 'failed')
  const again = tools.stale.some ? await verdictsToReview(tx, tools) : nothingToReview
  let nextSeq = firstSeq
  const isFinal = (candidate: Candidate) => !mayBeTriedAgain(candidate, tools.maxRetries)
  const pending = new Set(candidates.map(hashOf))
  const verdicts = await reachVerdicts(
    tx,
    [...alive(candidates), ...again.candidates.filter((candidate) => !pending.has(hashOf(candidate)))],
    { profile: tools.profile, isFinal, nextSeq: () => nextSeq++ },
  )
  if (verdicts.stale.size > 0) await addStaleVerdicts(tx, verdicts.stale)
  tools.stale.some = again.hasMore || verdicts.stale.size > 0
  const malformed = unready.filter(isFinal).flatMap(asRejection)
  if (malformed.length > 0) await insertRejections(tx, malformed)
  const { processed, forgotten } = verdicts
  const rejected = [...malformed, ...verdicts.rejected]
  const postponed = candidates.filter((candidate) => !isFinal(candidate))
  const deferred = candidates.filter((candidate) => candidate.outcome?.kind === 'deferred')
  const merged = await keepFresh(tx, [...postponed, ...deferred].filter(isFresh))
  const retried = postponed.filter((candidate) => candidate.id !== undefined).flatMap(asRetry)
  if (retried.length > 0) await postpone(tx, retried)
  const duplicates = candidates.filter((candidate) => candidate.outcome?.kind === 'duplicate')
  const refused = candidates.filter((candidate) => candidate.outcome?.kind === 'failed' && isFinal(candidate))
  const settled = [...duplicates, ...refused]
  if (settled.length > 0) await removePending(tx, settled)
  const woken = await wake(tx, processed, rejected, tools.waitedFor)
  for (const retry of retried) for (const hash of retry.waitsFor ?? []) tools.waitedFor.add(hash)
  const readmitted = again.readmitted + verdicts.readmitted
  const unpaid = candidates.filter(isUnpaid).flatMap((candidate) => candidate.id ?? [])
  return {
    processed,
    rejected,
    retried,
    forgotten,
    unpaid,
    nextSeq,
    settled: settled.length + alive(candidates).length + merged - readmitted,
    readmitted,
    pendingChanged: woken || postponed.length + deferred.length + readmitted > 0,
  }
}

interface Review {
  candidates: Candidate[]
  hasMore: boolean
  readmitted: number
}

const nothingToReview: Review = { candidates: [], hasMore: false, readmitted: 0 }

/**
 * Messages whose verdicts were left for later, those that a confirmation moves in the order or gives another channel or
 * time, and those that stand on confirmations alone.
 */
async function verdictsToReview(tx: pg.PoolClient, { profile }: ProcessingTools): Promise<Review> {
  const stale = await takeStaleVerdicts(tx)
  const confirmed = await takeChangedConfirmations(tx)
  const moved = (await loadJudged(tx, confirmed)).filter((candidate) => {
    const { place, isOtherCopy } = candidate.standing!
    prepare([candidate], profile)
    return candidate.place !== place || isOtherCopy || candidate.envelope.signature === null
  })
  const outdated = await loadJudged(tx, stale)
  const readmitted = await reviewUnfetched(tx, notAmong(stale, outdated), profile)
  const candidates = new Map([...moved, ...outdated].map((candidate) => [hashOf(candidate), candidate]))
  return { candidates: [...candidates.values()], hasMore: stale.length + confirmed.length > 0, readmitted }
}

function isUnpaid({ outcome }: Candidate): boolean {
  return outcome?.kind === 'deferred' && outcome.until === 'balances are fresh'
}

/**
 * A message is processed once: copies of what the state knows are dropped, copies within the batch wait. So does a fresh
 * message of which a copy waits: it may be what that one lacks.
 */
async function dropCopies(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const fresh = candidates.filter(isFresh)
  const { settled, waiting } = await knownHashes(tx, candidates.map(hashOf), fresh.map(hashOf))
  const seen = new Set<string>()
  for (const candidate of candidates) {
    const hash = hashOf(candidate)
    if (settled.has(hash)) candidate.outcome = { kind: 'duplicate' }
    else if (seen.has(hash) || waiting.has(hash))
      candidate.outcome = { kind: 'deferred', until: 'its copy is settled' }
    seen.add(hash)
  }
}

/** A message from the inbox may fail in passing; one that was judged before is refused until something changes. */
function mayBeTriedAgain(candidate: Candidate, maxRetries: number): boolean {
  const { outcome, standing, retries } = candidate
  return (
    outcome?.kind === 'failed' && outcome.error.retryable && standing === undefined && retries < maxRetries
  )
}

function asRetry(candidate: Candidate): (Retry & { at: Date })[] {
  if (candidate.outcome?.kind !== 'failed') return []
  const { error, waitsFor, refetch = false } = candidate.outcome
  const { errorCode, details } = error
  // The fetch stage has its own pace: it begins at once.
  const at = refetch ? new Date() : nextAttempt(candidate.retries)
  return [{ candidate, errorCode, details, waitsFor, refetch, at }]
}

/** Lets messages go on that waited for what this batch settled; answers whether there were any. */
async function wake(
  tx: pg.PoolClient,
  processed: Candidate[],
  rejected: Rejection[],
  waitedFor: Set<string>,
): Promise<boolean> {
  if (waitedFor.size === 0) return false
  const settled = [...processed.flatMap(namesMade), ...rejected.map(({ candidate }) => hashOf(candidate))]
  const awaited = settled.filter((name) => waitedFor.has(name))
  if (awaited.length === 0) return false
  await wakeWaiting(tx, awaited)
  for (const name of awaited) waitedFor.delete(name)
  return true
}
