import type { MessageType } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Candidate } from './candidate.ts'
import { aggregateRules } from './types/aggregate.ts'
import { forgetRules } from './types/forget.ts'
import { postRules } from './types/post.ts'
import { storeRules } from './types/store.ts'
import { vmRules } from './types/vm.ts'
import type { World } from './world.ts'

/** Everything that is special about a type of message. */
export interface TypeRules {
  /** Hashes of the messages it builds on: it is judged after them. */
  dependencies(candidate: Candidate): string[]
  /** Names besides its own hash that others look at and that change when it comes or goes. */
  makes(candidate: Candidate): string[]
  /** Names besides dependencies that it may look at. */
  looksAt(candidate: Candidate): string[]
  /**
   * Whether it may become part of the state, by what stands before it.
   *
   * @throws {ProtocolError | Waiting} when not
   */
  judge(candidate: Candidate, world: World): void
  /** Makes accepted messages part of the state; their rows in `messages` exist. */
  enter(tx: pg.PoolClient, candidates: Candidate[]): Promise<void>
  /** Takes what they made out of the state that is served. The facts by which others are judged stay. */
  leave(tx: pg.PoolClient, candidates: Candidate[]): Promise<void>
  /** Undoes what outlives a FORGET, for messages that turn out never to have been acceptable. */
  takeBack?(tx: pg.PoolClient, candidates: Candidate[]): Promise<void>
}

const rules: Record<MessageType, TypeRules> = {
  POST: postRules,
  AGGREGATE: aggregateRules,
  STORE: storeRules,
  PROGRAM: vmRules,
  INSTANCE: vmRules,
  'V-PROGRAM': vmRules,
  FORGET: forgetRules,
}

export function rulesOf(candidate: Candidate): TypeRules {
  return rules[candidate.envelope.type]
}

/** Candidates by the rules that hold for them. */
export function byRules(candidates: Candidate[]): Map<TypeRules, Candidate[]> {
  return Map.groupBy(candidates, rulesOf)
}
