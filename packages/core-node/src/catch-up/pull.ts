import { randomBytes } from 'node:crypto'
import { Reconciler } from '@aleph-ts/protocol'
import type { HeldMessages } from './held-messages.ts'
import type { RecentlyAsked } from './recently-asked.ts'
import {
  CatchUpProtocolError,
  compareOperation,
  type FrameStream,
  fromJsonBytes,
  getOperation,
  maxRequestedMessages,
  messagesSchema,
  toJsonBytes,
} from './wire.ts'

export interface PullOptions {
  peerId: string
  frames: FrameStream
  held: HeldMessages
  asked: RecentlyAsked
  /** Takes one message in; resolves when it is durable or known to be unacceptable. */
  accept: (message: unknown) => Promise<void>
  /** Takes in what is left of erased messages. */
  acceptErased: (tombstones: unknown[]) => Promise<void>
  /** Resolves when there is room for more messages. */
  room: () => Promise<void>
}

export interface PullResult {
  /** Messages taken in. */
  taken: number
  /** Messages left to another session, which is fetching them. */
  busy: number
  /** Messages that the peer lacks, as far as it was told. */
  peerLacks: number
  /** Bytes and rounds it took to find the difference, without the messages. */
  bytes: number
  rounds: number
}

/** Tombstones kept in memory until the end of a session. */
const mostErased = 5_000
/** A batch is claimed from other peers for so long at most, ms. */
const batchMs = 60_000

/**
 * Compares this node's messages with a peer's, and takes in every message we lack. An interruption loses nothing but the
 * rest of the comparison: what was taken in is in the set the next time.
 *
 * @throws {CatchUpProtocolError | ReconciliationError} when the peer does not keep to the protocol
 */
export async function pullMessages(options: PullOptions): Promise<PullResult> {
  const { frames, held } = options
  const reconciler = new Reconciler(await held.set(), randomBytes(16))
  const result: PullResult = { taken: 0, busy: 0, peerLacks: 0, bytes: 0, rounds: 0 }
  const erased: unknown[] = []
  for (let request = reconciler.request(); request; request = reconciler.request()) {
    const answer = await frames.ask(compareOperation, request)
    const { missing, surplus } = reconciler.take(answer)
    result.bytes += request.length + answer.length
    result.rounds += 1
    result.peerLacks += surplus.length
    await takeMissing(options, missing, { result, erased })
  }
  // A tombstone is of use to those who know the FORGET, which may have come after it.
  if (erased.length > 0) await options.acceptErased(erased)
  return result
}

/** What a session has brought in; tombstones wait for its end. */
interface Session {
  result: PullResult
  erased: unknown[]
}

async function takeMissing(options: PullOptions, hashes: string[], session: Session): Promise<void> {
  const { peerId, held, asked, room } = options
  const { result, erased } = session
  for (let start = 0; start < hashes.length; start += maxRequestedMessages) {
    const unknown = await held.unknown(hashes.slice(start, start + maxRequestedMessages))
    const { claimed, busy } = asked.claim(peerId, unknown)
    result.busy += busy
    try {
      if (claimed.length === 0) continue
      await room()
      result.taken += await fetchMessages(options, claimed, erased)
      if (erased.length >= mostErased) await options.acceptErased(erased.splice(0))
      asked.settle(peerId, claimed)
    } finally {
      asked.release(claimed)
    }
  }
}

async function fetchMessages(
  { frames, accept }: PullOptions,
  hashes: string[],
  erased: unknown[],
): Promise<number> {
  const missing = new Set(hashes)
  const deadline = performance.now() + batchMs
  let taken = 0
  while (missing.size > 0) {
    if (performance.now() > deadline) throw new CatchUpProtocolError('messages come too slowly')
    const asked = [...missing]
    const body = await frames.ask(getOperation, toJsonBytes({ hashes: asked }))
    const { messages } = fromJsonBytes(body, messagesSchema)
    // Gone at the peer meanwhile: nothing to take.
    if (messages.length === 0) break
    const wanted = messages.filter((message) => missing.delete(hashOf(message)))
    if (wanted.length === 0) throw new CatchUpProtocolError('messages nobody asked for')
    erased.push(...wanted.filter(isErased))
    await Promise.all(wanted.filter((message) => !isErased(message)).map(accept))
    taken += wanted.length
  }
  return taken
}

function hashOf(message: unknown): string {
  const hash = (message as { item_hash?: unknown } | null)?.item_hash
  return typeof hash === 'string' ? hash : ''
}

function isErased(message: unknown): boolean {
  return Object.hasOwn(message as object, 'erased')
}
