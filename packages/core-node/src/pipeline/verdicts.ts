import type { NetworkProfile } from '@aleph-ts/protocol'
import type pg from 'pg'
import { entriesAsText } from '../state/credits.ts'
import { type ForgottenMessage, releaseTargets, removeForgotten } from '../state/forgets.ts'
import { loadJudged } from '../state/judged.ts'
import { type Change, dependents, replaceLookups } from '../state/lookups.ts'
import { removePending } from '../state/pending.ts'
import { insertRejections, type Rejection } from '../state/rejections.ts'
import { alive, type Candidate, hashOf } from './candidate.ts'
import { forgetsOf, settleForgets } from './forgetting.ts'
import { judge } from './judge.ts'
import { enterState, takeBack, withdraw } from './membership.ts'
import { independentPrefix, inOrder, namesMade, prepare } from './order.ts'
import { sameCosts } from './price.ts'
import { reviewUnfetched } from './unfetched.ts'

/** What a run of judgements did. */
export interface Verdicts {
  /** New in the state, in order, restored ones included. */
  processed: Candidate[]
  /** Refused now, among them messages that were part of the state. */
  rejected: Rejection[]
  forgotten: ForgottenMessage[]
  /** Messages to judge again in another transaction. */
  stale: Set<string>
  /** Refused messages that wait for their file again. */
  readmitted: number
}

export interface JudgingTools {
  profile: NetworkProfile
  /** Whether a failed candidate is refused now, rather than tried again later. */
  isFinal: (candidate: Candidate) => boolean
  /** Position in the log for a message that is new in the state. */
  nextSeq: () => bigint
}

/** Old verdicts looked at again in one transaction, at most. */
const mostReviews = 1000

/**
 * Judges candidates in their order, lets the verdicts take effect, and judges again whatever depends on what changed,
 * until nothing does. A verdict depends only on what stands before it in the order, so this comes to an end.
 */
export async function reachVerdicts(
  tx: pg.PoolClient,
  candidates: Candidate[],
  tools: JudgingTools,
): Promise<Verdicts> {
  const verdicts: Verdicts = { processed: [], rejected: [], forgotten: [], stale: new Set(), readmitted: 0 }
  let queue = sorted(candidates, tools.profile)
  let reviews = 0
  /** Read from the state after the last change of it. */
  let current = new Set(queue)
  while (queue.length > 0) {
    const next = queue.slice(0, independentPrefix(queue))
    queue = queue.slice(next.length)
    const group = await asTheyStand(tx, next, current)
    current = new Set()
    const changes = await judgeGroup(tx, group, tools, verdicts)
    const tooEarly = group.filter(
      (candidate, index) => mayComeBack(candidate, tools) && hasMissed(candidate, index, changes),
    )
    for (const candidate of tooEarly) candidate.outcome = undefined
    if (tooEarly.length > 0) queue = sorted([...queue, ...tooEarly], tools.profile)
    const again = await dependents(tx, changes)
    // Members saw what earlier members did, not what later ones do.
    for (const [index, candidate] of group.entries()) {
      if ((again.get(hashOf(candidate)) ?? 0) <= index) again.delete(hashOf(candidate))
    }
    for (const candidate of queue) again.delete(hashOf(candidate))
    if (again.size === 0) continue
    const room = Math.max(0, mostReviews - reviews)
    const hashes = [...again.keys()].sort()
    for (const hash of hashes.slice(room)) verdicts.stale.add(hash)
    const asked = hashes.slice(0, room)
    const reviewed = await loadJudged(tx, asked)
    reviews += reviewed.length
    current = new Set(reviewed)
    verdicts.readmitted += await reviewUnfetched(tx, notAmong(asked, reviewed), tools.profile)
    if (reviewed.length > 0) queue = sorted([...queue, ...reviewed], tools.profile)
  }
  return verdicts
}

/** Whether a candidate was stopped, but not for good. */
function mayComeBack(candidate: Candidate, { isFinal }: JudgingTools): boolean {
  return candidate.outcome?.kind === 'deferred' || (candidate.outcome !== undefined && !isFinal(candidate))
}

/** Whether other members of the group changed something that a candidate had looked at before. */
function hasMissed({ lookups, place }: Candidate, index: number, changes: Change[]): boolean {
  return changes.some((change) => {
    const when = change.index > index ? lookups?.get(change.name) : undefined
    return when === 'ever' || (when === 'before' && change.place < place!)
  })
}

export function notAmong(hashes: string[], candidates: Candidate[]): string[] {
  const found = new Set(candidates.map(hashOf))
  return hashes.filter((hash) => !found.has(hash))
}

/** Verdicts reached meanwhile may have changed what the state holds of a message that waits to be judged again. */
async function asTheyStand(
  tx: pg.PoolClient,
  candidates: Candidate[],
  current: ReadonlySet<Candidate>,
): Promise<Candidate[]> {
  const isOutdated = (candidate: Candidate) => candidate.standing !== undefined && !current.has(candidate)
  const outdated = candidates.filter(isOutdated).map(hashOf)
  if (outdated.length === 0) return candidates
  const loaded = new Map((await loadJudged(tx, outdated)).map((candidate) => [hashOf(candidate), candidate]))
  return candidates.flatMap((candidate) =>
    isOutdated(candidate) ? (loaded.get(hashOf(candidate)) ?? []) : candidate,
  )
}

function sorted(candidates: Candidate[], profile: NetworkProfile): Candidate[] {
  prepare(candidates, profile)
  return inOrder(candidates)
}

async function judgeGroup(
  tx: pg.PoolClient,
  group: Candidate[],
  tools: JudgingTools,
  verdicts: Verdicts,
): Promise<Change[]> {
  await judge(tx, group, tools.profile)
  const positions = new Map(group.map((candidate, index) => [candidate, index]))
  const changesOf = (candidate: Candidate) => changesBy(candidate, positions.get(candidate)!)
  const passed = alive(group)
  const refused = group.filter(
    (candidate) => candidate.outcome?.kind === 'failed' && tools.isFinal(candidate),
  )
  const changed = [...(await refuse(tx, refused, verdicts)), ...(await accept(tx, passed, tools, verdicts))]
  const changes = changed.flatMap(changesOf)
  await replaceLookups(tx, [...passed, ...refused])
  const forgets = forgetsOf([...passed, ...refused])
  if (forgets.length > 0) {
    const settled = await settleForgets(tx, forgets, tools.profile)
    verdicts.forgotten.push(...settled.forgotten)
    verdicts.processed.push(...settled.restored)
    // Nobody in the group has seen what became of the targets.
    changes.push(...settled.changes.map((change) => ({ ...change, index: group.length })))
  }
  return changes
}

/**
 * Lets accepted messages into the state; those that are there already only move when the verdict is another.
 *
 * @returns those for which something is another now
 */
async function accept(
  tx: pg.PoolClient,
  candidates: Candidate[],
  tools: JudgingTools,
  verdicts: Verdicts,
): Promise<Candidate[]> {
  const changed = candidates.filter((candidate) => !isUnchanged(candidate))
  const before = changed.filter(isInState)
  await takeOut(tx, before)
  for (const candidate of changed) {
    if (!isInState(candidate) || candidate.seq === undefined) candidate.seq = tools.nextSeq()
  }
  await enterState(tx, changed)
  const news = changed.filter((candidate) => !isInState(candidate))
  verdicts.processed.push(...news)
  verdicts.rejected = without(verdicts.rejected, news, ({ candidate }) => candidate)
  return changed
}

async function refuse(tx: pg.PoolClient, candidates: Candidate[], verdicts: Verdicts): Promise<Candidate[]> {
  if (candidates.length === 0) return []
  await takeOut(tx, candidates.filter(isInState))
  const rejections = candidates.flatMap(asRejection)
  await insertRejections(tx, rejections)
  await removePending(tx, candidates)
  const news = rejections.filter(({ candidate }) => candidate.standing?.status !== 'rejected')
  verdicts.rejected.push(...news)
  const refused = news.map(({ candidate }) => candidate)
  verdicts.processed = without(verdicts.processed, refused, (candidate) => candidate)
  return refused
}

/** What was found out meanwhile is another: only the last verdict over a message is told. */
function without<T>(told: T[], candidates: Candidate[], candidateOf: (one: T) => Candidate): T[] {
  if (told.length === 0 || candidates.length === 0) return told
  const hashes = new Set(candidates.map(hashOf))
  return told.filter((one) => !hashes.has(hashOf(candidateOf(one))))
}

/** Undoes what an earlier verdict did. A forgotten message is no longer named by anybody until its FORGET is judged again. */
async function takeOut(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  await withdraw(
    tx,
    candidates.filter((candidate) => candidate.standing!.status !== 'forgotten'),
  )
  const forgotten = candidates.filter((candidate) => candidate.standing!.status === 'forgotten')
  if (forgotten.length === 0) return
  await takeBack(tx, forgotten)
  await removeForgotten(tx, forgotten.map(hashOf))
  await releaseTargets(tx, forgotten.map(hashOf))
}

function isInState(candidate: Candidate): boolean {
  return candidate.standing !== undefined && candidate.standing.status !== 'rejected'
}

function isUnchanged(candidate: Candidate): boolean {
  const { standing, place, costs = [], creditEntries = [] } = candidate
  return (
    isInState(candidate) &&
    standing!.place === place &&
    !standing!.isOtherCopy &&
    sameCosts(standing!.costs, costs) &&
    standing!.creditEntries === entriesAsText(creditEntries)
  )
}

/** Everything that is another because of a candidate, from the earlier of its places on. */
function changesBy(candidate: Candidate, index: number): Change[] {
  const before = candidate.standing?.place
  const place = before && before < candidate.place! ? before : candidate.place!
  return namesMade(candidate).map((name) => ({ name, place, index }))
}

export function asRejection(candidate: Candidate): Rejection[] {
  if (candidate.outcome?.kind !== 'failed') return []
  const { errorCode, details } = candidate.outcome.error
  return [{ candidate, errorCode, details }]
}
