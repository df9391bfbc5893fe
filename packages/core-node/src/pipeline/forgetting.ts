import { type NetworkProfile, type Place, totalCost } from '@aleph-ts/protocol'
import type pg from 'pg'
import { endFacts } from '../state/facts.ts'
import {
  type Forgetting,
  type ForgottenMessage,
  loadForgettings,
  recordForgotten,
  removeForgotten,
  replaceForgetTargets,
  updateForgotten,
} from '../state/forgets.ts'
import { loadJudged } from '../state/judged.ts'
import type { Change } from '../state/lookups.ts'
import { accountOf, type Candidate, hashOf, isOfType } from './candidate.ts'
import { enterState, leaveView } from './membership.ts'
import { namesMade } from './order.ts'
import { readSpecialPost } from './types/special-posts.ts'

/** What FORGET messages did to others. */
export interface Forgotten {
  changes: Omit<Change, 'index'>[]
  forgotten: ForgottenMessage[]
  /** Messages that are part of the state again. */
  restored: Candidate[]
}

/**
 * Lets the verdicts over FORGET messages take effect (protocol 02 §12.2): accepted ones remove their targets, others
 * none. A message stays forgotten as long as one FORGET names it, as of the first in order; it comes back when the
 * last one turns out not to have been allowed.
 */
export async function settleForgets(
  tx: pg.PoolClient,
  forgets: Candidate[],
  profile: NetworkProfile,
): Promise<Forgotten> {
  const changed = forgets.filter(
    (forget) =>
      forget.place !== forget.standing?.place ||
      !sameSet(targetsOf(forget), forget.standing?.status === 'processed' ? forget.standing.targets : []),
  )
  if (changed.length === 0) return { changes: [], forgotten: [], restored: [] }
  await replaceForgetTargets(
    tx,
    changed.map((forget) => ({
      itemHash: hashOf(forget),
      place: forget.place!,
      targets: targetsOf(forget),
    })),
  )
  const touched = changed.flatMap((forget) => [...targetsOf(forget), ...(forget.standing?.targets ?? [])])
  return settleTargets(tx, [...new Set(touched)], profile)
}

function targetsOf(forget: Candidate): string[] {
  return forget.outcome === undefined ? (forget.targets ?? []) : []
}

/** Brings messages in line with the FORGET messages that name them. */
export async function settleTargets(
  tx: pg.PoolClient,
  hashes: string[],
  profile: NetworkProfile,
): Promise<Forgotten> {
  const forgettings = await loadForgettings(tx, hashes)
  const leaving = forgettings.filter(({ held, until }) => held === 'messages' && until !== null)
  const returning = forgettings.filter(
    ({ held, until, can_return }) => held === 'forgotten' && until === null && can_return,
  )
  const moving = forgettings.filter(({ held, until }) => held === 'forgotten' && until !== null)
  const candidates = new Map(
    (
      await loadJudged(
        tx,
        [...leaving, ...returning, ...moving].map(({ item_hash }) => item_hash),
      )
    ).map((candidate) => [hashOf(candidate), candidate]),
  )
  for (const candidate of candidates.values()) {
    if (isOfType(candidate, 'POST')) candidate.special = readSpecialPost(candidate, profile)
  }
  const of = ({ item_hash }: Forgetting) => candidates.get(item_hash) ?? []
  const forgotten = leaving.length > 0 ? await recordForgotten(tx, leaving) : []
  if (leaving.length > 0) await leaveView(tx, leaving.flatMap(of))
  if (leaving.length + moving.length > 0) await updateForgotten(tx, [...leaving, ...moving])
  const restored = returning.flatMap(of).map(asAccepted)
  await enterState(tx, restored)
  if (restored.length > 0) await removeForgotten(tx, restored.map(hashOf))
  const ended = [...leaving, ...moving, ...returning].filter(({ until, old_until }) => until !== old_until)
  if (ended.length > 0) {
    await endFacts(
      tx,
      ended.map(({ item_hash, until }) => ({ itemHash: item_hash, until })),
    )
  }
  const changes = ended.flatMap((forgetting) => {
    const candidate = candidates.get(forgetting.item_hash)
    const place = earlier(forgetting.until, forgetting.old_until)!
    return candidate ? namesMade(asAccepted(candidate)).map((name) => ({ name, place })) : []
  })
  return { changes, forgotten, restored }
}

/** A message of the state as it was when it was accepted. */
function asAccepted(candidate: Candidate): Candidate {
  const { place, costs } = candidate.standing!
  const [first] = costs
  return {
    ...candidate,
    place: place!,
    costs,
    charge: first && {
      account: accountOf(candidate),
      paymentType: first.payment_type,
      amount: totalCost(costs, first.payment_type),
    },
  }
}

function earlier(a: Place | null, b: Place | null): Place | null {
  if (a === null || b === null) return a ?? b
  return a < b ? a : b
}

function sameSet(a: string[], b: string[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length
}

export function forgetsOf(candidates: Candidate[]): Candidate[] {
  return candidates.filter((candidate) => isOfType(candidate, 'FORGET'))
}
