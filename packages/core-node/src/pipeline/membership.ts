import type pg from 'pg'
import { insertCosts, removeCosts } from '../state/costs.ts'
import { insertCharges, removeFacts } from '../state/facts.ts'
import { pinContents, removeStores } from '../state/files.ts'
import { insertMessages, removeMessages } from '../state/messages.ts'
import { removePending } from '../state/pending.ts'
import { removeRejections } from '../state/rejections.ts'
import { type Candidate, hashOf } from './candidate.ts'
import { byRules } from './type-rules.ts'

/** Makes accepted, numbered messages part of the state. */
export async function enterState(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  if (candidates.length === 0) return
  await insertMessages(tx, candidates)
  await removeRejections(tx, candidates.map(hashOf))
  const fetched = candidates.filter((candidate) => candidate.fetchedContent)
  if (fetched.length > 0) await pinContents(tx, fetched)
  for (const [rules, members] of byRules(candidates)) await rules.enter(tx, members)
  await insertCosts(tx, candidates)
  await insertCharges(tx, candidates)
  await removePending(tx, candidates)
}

/** Takes what messages made out of what is served. Their rows in `messages` and their facts are the caller's. */
export async function leaveView(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  for (const [rules, members] of byRules(candidates)) await rules.leave(tx, members)
  const fetched = candidates.filter((candidate) => candidate.fetchedContent)
  if (fetched.length > 0) await removeStores(tx, fetched.map(hashOf))
  await removeCosts(tx, candidates.map(hashOf))
}

/** Takes messages out of the state as if they had never been part of it. */
export async function withdraw(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  if (candidates.length === 0) return
  await leaveView(tx, candidates)
  await removeMessages(tx, candidates)
  await takeBack(tx, candidates)
}

/** Undoes what outlives a FORGET: facts by which others were judged, credits and balances. */
export async function takeBack(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  await removeFacts(tx, candidates.map(hashOf))
  for (const [rules, members] of byRules(candidates)) await rules.takeBack?.(tx, members)
}
