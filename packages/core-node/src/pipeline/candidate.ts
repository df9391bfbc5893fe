import {
  addressKey,
  type ContentOf,
  type CostRow,
  type CreditEntry,
  type Envelope,
  type MessageType,
  type ParsedContent,
  type PaymentType,
  type Place,
  type ProtocolError,
} from '@aleph-ts/protocol'
import type { FirstConfirmation } from '../state/confirmations.ts'
import type { FileStat } from '../storage/file-store.ts'
import type { SpecialPost } from './types/special-posts.ts'

/** A message on its way through the pipeline. Steps mark it; they never remove it from its batch. */
export interface Candidate {
  /** Row of `pending_messages`; neither a fresh message has one nor one of the state that is judged again. */
  id?: bigint
  envelope: Envelope
  receptionTime: Date
  /** The door it came through, when it was read from the database. */
  origin?: string
  retries: number
  /** Balances were read from the chain after this message had been found too expensive. */
  balancesAreFresh?: boolean
  /** Set by `check`, unless the inbox has parsed it already. */
  parsed?: ParsedContent
  /** Set by `check` for content that was fetched and could have come inline: that is how it is kept. */
  becameInline?: boolean
  /** Set by `check` for other content that was fetched: its text and its length in bytes. */
  fetchedContent?: { text: string; bytes: number }
  /** Size of the file that a STORE names, bytes; set by `locateFiles`. */
  fileSize?: number
  /** Whether it is a file or a folder; set by `locateFiles`. */
  fileType?: FileStat['type']
  /** A fact of the first kind stops the message for this batch, and most of them for good. */
  outcome?: Outcome
  /** When a chain first confirmed it, if one did. */
  confirmed?: FirstConfirmation
  /** Where it stands in the order of judgement; lifted after what it builds on while it is judged. */
  place?: Place
  /** What its verdict depends on, and whether at any place (`ever`) or only before its own (`before`). */
  lookups?: Map<string, 'before' | 'ever'>
  /** Set by the rules of FORGET: everything it removes. */
  targets?: string[]
  /** Set by `price`. */
  costs?: CostRow[]
  /** Set by `price`: what its account owes for it from now on. */
  charge?: { account: string; paymentType: PaymentType; amount: string }
  /** What a post of one of the network's publishers does. */
  special?: SpecialPost
  /** Set by the rules of credit posts: the lines it adds to the ledger. */
  creditEntries?: CreditEntry[]
  /** Position in the node's log; set when it becomes part of the state. */
  seq?: bigint
  /** What the state holds of it, when it is judged again. */
  standing?: Standing
}

/** A message as an earlier judgement left it. */
export interface Standing {
  status: 'processed' | 'removing' | 'forgotten' | 'rejected'
  place: Place | null
  /** A chain confirmed a copy with other unsigned fields, which counts now. */
  isOtherCopy: boolean
  costs: CostRow[]
  targets: string[]
  /** What {@link entriesAsText} makes of its lines in the ledger. */
  creditEntries: string
}

export type Outcome =
  | { kind: 'failed'; error: ProtocolError; waitsFor?: string[]; refetch?: boolean }
  /** The state holds this message already, or it was forgotten: this copy is dropped. */
  | { kind: 'duplicate' }
  /** Looked at again in the next batch, without counting as a failure. */
  | { kind: 'deferred'; until: 'its copy is settled' | 'balances are fresh' | 'the next batch' }

/** Candidates that no step has stopped. */
export function alive(candidates: Candidate[]): Candidate[] {
  return candidates.filter((candidate) => candidate.outcome === undefined)
}

/** Stops a candidate with a protocol error; `waitsFor` names hashes whose arrival may cure it. */
export function fail(candidate: Candidate, error: ProtocolError, waitsFor?: string[]): void {
  candidate.outcome = { kind: 'failed', error, waitsFor }
}

/**
 * Remembers that the verdict depends on what stands under a name: `before` the candidate's place, or `ever`, when
 * something is missing that may come with any clock.
 */
export function look(candidate: Candidate, name: string, when: 'before' | 'ever' = 'before'): void {
  candidate.lookups ??= new Map()
  if (when === 'ever' || !candidate.lookups.has(name)) candidate.lookups.set(name, when)
}

/** Whether it came by gossip and is kept nowhere yet: nobody was promised anything, and peers have it too. */
export function isFresh({ id, standing }: Candidate): boolean {
  return id === undefined && standing === undefined
}

export function hashOf(candidate: Candidate): string {
  return candidate.envelope.item_hash
}

/** The owner of what the message makes: `content.address`. */
export function ownerOf(candidate: Candidate): string {
  return candidate.parsed!.content.address
}

/** The account that pays: the owner in the one spelling that balances are kept under. */
export function accountOf(candidate: Candidate): string {
  return addressKey(candidate.envelope.chain, ownerOf(candidate))
}

/** The content of a candidate whose type is known. */
export function contentOf<T extends MessageType>(candidate: Candidate, _type: T): ContentOf<T> {
  return candidate.parsed!.content as ContentOf<T>
}

export function isOfType(candidate: Candidate, ...types: MessageType[]): boolean {
  return types.includes(candidate.envelope.type)
}
