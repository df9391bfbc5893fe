import { liftedPlace, type NetworkProfile, ProtocolError } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, fail, hashOf, look } from './candidate.ts'
import { prepare } from './order.ts'
import { price } from './price.ts'
import { rulesOf } from './type-rules.ts'
import { Waiting } from './waiting.ts'
import { World } from './world.ts'

/**
 * Decides over a group of candidates that do not look at each other: each by what stands before its place, whatever
 * came later. Sets `place`, `lookups` and what the rules find out, and the outcome of those that are refused.
 */
export async function judge(
  tx: pg.PoolClient,
  candidates: Candidate[],
  profile: NetworkProfile,
): Promise<void> {
  prepare(candidates, profile)
  const world = await World.load(tx, candidates, profile)
  for (const candidate of candidates) {
    candidate.lookups = new Map()
    lift(candidate, world)
    if (isVouchedFor(candidate)) judgeByType(candidate, world)
    else fail(candidate, takenBack())
  }
  await price(tx, candidates, world)
}

/** What a contract wrote carries no signature: the chain alone vouches for it, as long as it holds the transaction. */
function isVouchedFor({ envelope, confirmed }: Candidate): boolean {
  return envelope.signature !== null || confirmed !== undefined
}

function takenBack(): ProtocolError {
  const reason = 'signature: none, and no chain holds the transaction that carried the message'
  return new ProtocolError('INVALID_SIGNATURE', { message: reason, errors: [reason] })
}

/** A message stands after everything it names that is part of the state; what is not may come with any clock. */
function lift(candidate: Candidate, world: World): void {
  const dependencies = rulesOf(candidate).dependencies(candidate)
  for (const hash of dependencies) look(candidate, hash, world.accepted(hash) ? 'before' : 'ever')
  const places = dependencies.flatMap((hash) => world.accepted(hash)?.place ?? [])
  candidate.place = liftedPlace(candidate.place!, hashOf(candidate), places)
}

function judgeByType(candidate: Candidate, world: World): void {
  try {
    rulesOf(candidate).judge(candidate, world)
  } catch (error) {
    if (error instanceof Waiting) fail(candidate, error.refusal, error.waitsFor)
    else if (error instanceof ProtocolError) fail(candidate, error)
    else throw error
  }
}
