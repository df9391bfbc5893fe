import {
  addressKey,
  type ContentOf,
  type CostRow,
  type Envelope,
  type MessageType,
  type ParsedContent,
  type ProtocolError,
} from '@aleph-ts/protocol'

/** A pending message on its way through the pipeline. Steps mark it; they never remove it from its batch. */
export interface Candidate {
  /** Row of `pending_messages`. */
  id: bigint
  envelope: Envelope
  receptionTime: Date
  /** The door it came through, when it was read from the database. */
  origin?: string
  retries: number
  /** Balances were read from the chain after this message had been found too expensive. */
  balancesAreFresh?: boolean
  /** Set by `check`, unless the inbox has parsed it already. */
  parsed?: ParsedContent
  /** Set by `check` for content that was fetched: its text and its length in bytes. */
  fetchedContent?: { text: string; bytes: number }
  /** A fact of the first kind stops the message for this batch, and most of them for good. */
  outcome?: Outcome
  /** Set by `resolve`: the files that a VM's references lead to, by `referenceKey`. */
  files?: Map<string, { hash: string; size: number }>
  /** Set by `resolve`: everything a FORGET removes. */
  targets?: string[]
  /** Set by `price`. */
  costs?: CostRow[]
  /** Set by `apply`: position in the node's log. */
  seq?: bigint
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
