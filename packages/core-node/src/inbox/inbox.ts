import {
  classifyHash,
  type Envelope,
  type MessageStatus,
  ProtocolError,
  parseEnvelope,
  parseInlineContent,
  type StoreContent,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { inTransaction } from '../database/pool.ts'
import type { CoreEvents } from '../events.ts'
import { fitsGossip } from '../gossip/payload.ts'
import type { SignatureVerifier } from '../identity/signature-verifier.ts'
import { valid } from '../identity/verdict.ts'
import { type Confirmation, forgetConfirmations, recordConfirmations } from '../state/confirmations.ts'
import { unsignedFieldsOf } from '../state/unsigned-fields.ts'
import type { FileStore } from '../storage/file-store.ts'
import { requireTimely } from './content-time.ts'
import { GroupCommit } from './group-commit.ts'
import { refusedCopy } from './refused-copy.ts'
import { type Arrival, type Refusal, storeArrivals } from './store-arrivals.ts'

/** The door a message came through. */
export interface Origin {
  door: 'api' | 'gossip' | 'catch-up' | 'chain'
  /** Peer that handed it over. */
  peer?: string
  /** Transaction that carried it. */
  txHash?: string
  /** A contract wrote it: the chain's word for its sender replaces the signature. */
  writtenByContract?: boolean
  /** The envelope was parsed, and its signature checked, at the door. */
  verified?: boolean
}

export interface InboxResult {
  itemHash: string
  status: MessageStatus
  errorCode?: number
  details?: unknown
}

/** The inbox cannot take a message now; it was not acknowledged and may be sent again. */
export class InboxUnavailableError extends Error {
  readonly code = 'inbox_unavailable'
}

type Entry = { arrival: Arrival } | { refusal: Refusal }

/** Messages written in one commit at most. */
const largestGroup = 400
/** Nobody waits for our disk when a message was gossiped: where it has to be stored, it may share a commit, ms. */
const gossipPatienceMs = 25
/** Messages that may wait for their check and their commit. */
const mostWaiting = 4000

/**
 * The one entrance of the node: every door calls `accept`, and what is accepted is durable before the call returns
 * (protocol 02 §2). Gossip alone promises nothing to anybody: what comes that way and lacks nothing goes on to the
 * pipeline without being stored first, which halves its cost. If the node dies meanwhile, catch-up brings it again.
 */
export class Inbox {
  readonly #pool: pg.Pool
  readonly #events: CoreEvents
  readonly #fileStore: FileStore
  readonly #verifier: Pick<SignatureVerifier, 'verify'>
  readonly #writer: GroupCommit<Entry, MessageStatus>
  readonly #limit: number
  readonly #futureSeconds: number | null
  #onStored: (arrivals: Arrival[]) => void = () => {}
  #takeFresh: (arrival: Arrival) => boolean = () => false
  #onConfirmed: () => void = () => {}
  #pending = 0
  #checking = 0

  constructor(options: {
    pool: pg.Pool
    events: CoreEvents
    fileStore: FileStore
    verifier: Pick<SignatureVerifier, 'verify'>
    /** Waiting messages above which further ones are turned away. */
    pendingLimit: number
    /** How far ahead of our clock `content.time` may be; null: any distance. */
    futureSeconds: number | null
  }) {
    this.#pool = options.pool
    this.#events = options.events
    this.#fileStore = options.fileStore
    this.#verifier = options.verifier
    this.#limit = options.pendingLimit
    this.#futureSeconds = options.futureSeconds
    this.#writer = new GroupCommit((entries) => this.#write(entries), largestGroup)
  }

  /** `listener` is called after each commit with the arrivals that are new; there is one, the pipeline. */
  onStored(listener: (arrivals: Arrival[]) => void): void {
    this.#onStored = listener
  }

  /** `take` gets gossiped messages that need not be stored first; where it answers false, they are. */
  onFresh(take: (arrival: Arrival) => boolean): void {
    this.#takeFresh = take
  }

  /** `listener` is called after confirmations changed. */
  onConfirmed(listener: () => void): void {
    this.#onConfirmed = listener
  }

  /** Counts what waits: what an earlier run left, and what other processes took in. */
  async countPending(): Promise<void> {
    const { rows } = await this.#pool.query<{ count: number }>(
      'select count(*)::int as count from pending_messages',
    )
    this.#pending = rows[0]?.count ?? 0
  }

  /** Messages acknowledged but not yet processed or refused. */
  get pendingCount(): number {
    return this.#pending
  }

  /** The pipeline reports how many pending rows it has settled. */
  settled(count: number): void {
    this.#pending = Math.max(0, this.#pending - count)
  }

  /**
   * Takes one message in. Resolves, after the commit where it is stored, with `pending` (new or waiting already), the
   * status of a message known before, or `rejected` with the protocol's error when this copy can never be accepted.
   *
   * @param envelope the message as received: an object, or JSON text
   * @throws {InboxUnavailableError} when it cannot be stored now
   */
  async accept(envelope: unknown, origin: Origin): Promise<InboxResult> {
    const raw = typeof envelope === 'string' ? parseText(envelope) : envelope
    if (raw instanceof ProtocolError) return this.#refuse(undefined, raw)
    if (this.#writer.waiting + this.#checking >= mostWaiting) {
      throw new InboxUnavailableError(
        'The disk cannot keep up with the messages that arrive; try again later',
      )
    }
    if (this.#pending >= this.#limit) {
      throw new InboxUnavailableError(
        `${this.#pending} messages are waiting to be processed; try again later`,
      )
    }
    const arrival = await this.#check(raw, origin)
    if (arrival instanceof ProtocolError) return this.#refuse(raw, arrival)
    const { item_hash: itemHash } = arrival.envelope
    if (origin.door !== 'gossip') return { itemHash, status: await this.#writer.add({ arrival }) }
    if (arrival.fetched && this.#takeFresh(arrival)) {
      this.#pending += 1
      return { itemHash, status: 'pending' }
    }
    return { itemHash, status: await this.#writer.add({ arrival }, gossipPatienceMs) }
  }

  /**
   * Attaches transactions to messages, whether they are known here, still pending, or yet to come (protocol 02 §4).
   * Transactions that `recordTransactions` has not recorded confirm nothing.
   */
  async confirm(confirmations: Confirmation[]): Promise<void> {
    await recordConfirmations(this.#pool, confirmations)
    this.#onConfirmed()
  }

  /** Takes back what transactions confirmed that a chain has replaced. */
  async unconfirm(txHashes: string[]): Promise<void> {
    await inTransaction(this.#pool, (tx) => forgetConfirmations(tx, txHashes))
    this.#onConfirmed()
  }

  /**
   * Messages of our API door that gossip has not confirmed as spread, oldest first.
   *
   * @param hashes only these of them
   */
  async unannounced(limit: number, hashes?: string[]): Promise<Envelope[]> {
    const columns = 'item_hash, type, chain, sender, signature, item_type, item_content, time, channel'
    const { rows } = await this.#pool.query<Envelope>(
      `with wanted as (
         select item_hash from unannounced_messages where $2::text[] is null or item_hash = any($2)
       )
       select ${columns} from (
         select ${columns}, reception_time from pending_messages where item_hash in (select item_hash from wanted)
         union all
         select ${columns}, reception_time from messages where item_hash in (select item_hash from wanted)
       ) waiting order by reception_time limit $1`,
      [limit, hashes ?? null],
    )
    return rows
  }

  /** Remembers that these messages were spread. */
  async markAnnounced(itemHashes: string[]): Promise<void> {
    await this.#pool.query('delete from unannounced_messages where item_hash = any($1)', [itemHashes])
  }

  /** Everything that can be told before the message is stored; the protocol's error when it never will be. */
  async #check(raw: unknown, origin: Origin): Promise<Arrival | ProtocolError> {
    this.#checking += 1
    try {
      const arrival = readArrival(raw, origin, this.#futureSeconds)
      const verdict = isVouched(origin) ? valid : await this.#verifier.verify(arrival.envelope)
      if (verdict.outcome === 'invalid') return verdict.error
      if (verdict.outcome === 'unknown' && origin.door === 'api') {
        throw new InboxUnavailableError(verdict.error.message)
      }
      // What is unknown now is checked again by the fetch stage.
      arrival.fetched = verdict.outcome === 'valid' && (await this.#isComplete(arrival))
      return arrival
    } catch (error) {
      if (error instanceof ProtocolError) return error
      throw error
    } finally {
      this.#checking -= 1
    }
  }

  /** What the message names besides itself is here already, so that it can skip the fetch stage. */
  async #isComplete({ envelope, parsed }: Arrival): Promise<boolean> {
    if (envelope.item_type !== 'inline') return false
    if (envelope.type !== 'STORE') return true
    return this.#fileStore.has((parsed!.content as StoreContent).item_hash)
  }

  async #refuse(raw: unknown, error: ProtocolError): Promise<InboxResult> {
    const { errorCode, details } = error
    const itemHash = (raw as { item_hash?: unknown } | null | undefined)?.item_hash
    if (typeof itemHash !== 'string' || classifyHash(itemHash) === null) {
      return { itemHash: '', status: 'rejected', errorCode, details }
    }
    await this.#writer.add({ refusal: { itemHash, message: refusedCopy(raw), errorCode, details } })
    return { itemHash, status: 'rejected', errorCode, details }
  }

  async #write(entries: Entry[]): Promise<MessageStatus[]> {
    const arrivals = entries.flatMap((entry) => ('arrival' in entry ? [entry.arrival] : []))
    const refusals = entries.flatMap((entry) => ('refusal' in entry ? [entry.refusal] : []))
    const confirmed = arrivals.flatMap(({ envelope, origin }) =>
      origin.txHash === undefined
        ? []
        : { itemHash: envelope.item_hash, txHash: origin.txHash, copy: unsignedFieldsOf(envelope) },
    )
    let known: Map<string, MessageStatus>
    try {
      if (confirmed.length > 0) await this.confirm(confirmed)
      known = await storeArrivals(this.#pool, arrivals, refusals)
    } catch (error) {
      throw new InboxUnavailableError('The message could not be stored; try again later', { cause: error })
    }
    const stored = arrivals.filter((arrival) => arrival.id !== undefined)
    this.#pending += stored.filter(({ completes }) => !completes).length
    if (stored.length > 0) this.#onStored(stored)
    const ours = stored.filter((arrival) => arrival.origin.door === 'api')
    if (ours.length > 0)
      this.#events.emit(
        'accepted',
        ours.map((arrival) => arrival.envelope),
      )
    return entries.map((entry) =>
      'arrival' in entry ? (known.get(entry.arrival.envelope.item_hash) ?? 'pending') : 'rejected',
    )
  }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const reason = 'message: not JSON'
    return new ProtocolError('INVALID_FORMAT', { message: reason, errors: [reason] })
  }
}

/** A chain's word, or a door that has looked already, replaces the check of the signature. */
function isVouched({ writtenByContract, verified }: Origin): boolean {
  return writtenByContract === true || verified === true
}

/** Envelope and content (protocol 02 §2); throws the protocol's error. */
function readArrival(raw: unknown, origin: Origin, futureSeconds: number | null): Arrival {
  const envelope = origin.verified ? (raw as Envelope) : parseEnvelope(raw)
  if (!origin.writtenByContract && envelope.signature === null) throw signatureError('Missing signature')
  const parsed = envelope.item_type === 'inline' ? parseInlineContent(envelope) : undefined
  if (parsed) requireTimely(parsed.content.time, futureSeconds)
  if (origin.door === 'api' && !fitsGossip(envelope)) {
    const reason =
      'message: too large to be gossiped; put its content into a file and send item_type "storage"'
    throw new ProtocolError('INVALID_FORMAT', { message: reason, errors: [reason] })
  }
  return { envelope, parsed, origin, fetched: false }
}

function signatureError(reason: string): ProtocolError {
  return new ProtocolError('INVALID_SIGNATURE', { message: reason, errors: [reason] })
}
