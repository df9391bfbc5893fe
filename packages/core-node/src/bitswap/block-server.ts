import { setTimeout as sleep } from 'node:timers/promises'
import { Turns } from '../content/turns.ts'
import { PeerBuckets } from '../rate-limit/peer-buckets.ts'
import type { BlockCatalogue, BlockRow } from './block-catalogue.ts'
import {
  type BitswapMessage,
  blockKey,
  emptyMessage,
  knownCid,
  maxExchangedBlockBytes,
  prefixOf,
  type WantEntry,
} from './message.ts'

/** Wants of one peer that are kept; further ones are not answered. As many as Kubo keeps. */
const maxWants = 1024
/** Wants that are looked up together. */
const wantsPerLook = 64
/** Bytes of blocks above which a message is sent. */
const fullMessageBytes = 512 * 1024
/** Bytes each peer may be sent at once, and per second after that. */
const sentBytes = { capacity: 64 * 1024 * 1024, perSecond: 32 * 1024 * 1024 }
/** Peers that are answered at once: each takes the memory of a message. */
const maxPeersServed = 16

export interface BlockServerOptions {
  catalogue: Pick<BlockCatalogue, 'find' | 'read'>
  send: (peer: string, message: BitswapMessage) => Promise<void>
  /** How many bytes of blocks went out. */
  onSent: (bytes: number) => void
  onFailure: (peer: string, error: Error) => void
  signal: AbortSignal
}

/** What one peer wants, by the CID's bytes. */
interface Wants {
  toAnswer: Map<string, WantEntry>
  /** Of blocks that are not here; they are answered again when the blocks come. */
  absent: Map<string, WantEntry>
}

/** Answers what peers want: whether blocks are here, and the blocks themselves (protocol 04 §9). */
export class BlockServer {
  readonly #options: BlockServerOptions
  readonly #wants = new Map<string, Wants>()
  readonly #answering = new Map<string, Promise<void>>()
  readonly #buckets = new PeerBuckets(sentBytes)
  readonly #turns = new Turns(maxPeersServed)

  constructor(options: BlockServerOptions) {
    this.#options = options
  }

  /** Takes a peer's wants; they are answered in the order of their priorities. */
  take(peer: string, message: Pick<BitswapMessage, 'wants' | 'full'>): void {
    const wants = this.#wants.get(peer) ?? { toAnswer: new Map(), absent: new Map() }
    this.#wants.set(peer, wants)
    const { toAnswer, absent } = wants
    if (message.full) this.forget(peer)
    for (const want of message.wants) {
      const key = keyOf(want)
      absent.delete(key)
      if (want.cancel) toAnswer.delete(key)
      else if (toAnswer.size + absent.size < maxWants || toAnswer.has(key)) toAnswer.set(key, want)
    }
    this.#answerSoon(peer, wants)
  }

  /** Blocks have come: whoever wants them is told. */
  onBlocks(keys: ReadonlySet<string>): void {
    for (const [peer, wants] of this.#wants) {
      for (const [key, want] of wants.absent) {
        const cid = knownCid(want.cid)
        if (!cid || !keys.has(blockKey(cid))) continue
        wants.absent.delete(key)
        wants.toAnswer.set(key, want)
      }
      this.#answerSoon(peer, wants)
    }
  }

  /** Forgets what a peer wanted. */
  forget(peer: string): void {
    this.#wants.get(peer)?.toAnswer.clear()
    this.#wants.get(peer)?.absent.clear()
  }

  async stop(): Promise<void> {
    for (const peer of this.#wants.keys()) this.forget(peer)
    await Promise.all(this.#answering.values())
  }

  #answerSoon(peer: string, wants: Wants): void {
    if (wants.toAnswer.size > 0 && !this.#answering.has(peer)) {
      this.#answering.set(peer, this.#answer(peer, wants))
    }
  }

  async #answer(peer: string, wants: Wants): Promise<void> {
    try {
      while (wants.toAnswer.size > 0) await this.#turns.run(() => this.#answerSome(peer, wants))
    } catch (error) {
      this.forget(peer)
      if (!this.#options.signal.aborted) this.#options.onFailure(peer, error as Error)
    } finally {
      this.#answering.delete(peer)
      if (wants.absent.size === 0) this.#wants.delete(peer)
    }
  }

  async #answerSome(peer: string, { toAnswer, absent }: Wants): Promise<void> {
    const { catalogue } = this.#options
    const some = [...toAnswer.values()].sort((a, b) => b.priority - a.priority).slice(0, wantsPerLook)
    const cids = some.flatMap((want) => knownCid(want.cid) ?? [])
    const found = cids.length > 0 ? await catalogue.find(cids) : new Map<string, BlockRow>()
    let message = emptyMessage()
    for (const want of some) {
      const key = keyOf(want)
      // Cancelled meanwhile.
      if (toAnswer.get(key) !== want) continue
      toAnswer.delete(key)
      const isHere = await this.#addAnswer(message, want, found)
      if (!isHere) absent.set(key, want)
      if (bytesOf(message) < fullMessageBytes) continue
      await this.#send(peer, message)
      message = emptyMessage()
    }
    await this.#send(peer, message)
  }

  /** @returns whether the block is here */
  async #addAnswer(message: BitswapMessage, want: WantEntry, found: Map<string, BlockRow>): Promise<boolean> {
    const cid = knownCid(want.cid)
    const row = cid && found.get(blockKey(cid))
    if (row && want.wantType === 'have') {
      message.presences.push({ cid: want.cid, has: true })
      return true
    }
    const bytes = row && (await this.#options.catalogue.read(cid, row))
    if (bytes && bytes.length <= maxExchangedBlockBytes) {
      message.blocks.push({ prefix: prefixOf(cid), bytes })
      return true
    }
    if (want.sendDontHave) message.presences.push({ cid: want.cid, has: false })
    return false
  }

  async #send(peer: string, message: BitswapMessage): Promise<void> {
    if (message.blocks.length + message.presences.length === 0) return
    const { send, onSent, signal } = this.#options
    const bytes = bytesOf(message)
    const waitMs = this.#buckets.of(peer).borrow(bytes)
    if (waitMs > 0) await sleep(waitMs, undefined, { signal })
    await send(peer, message)
    onSent(bytes)
  }
}

function keyOf({ cid }: WantEntry): string {
  return Buffer.from(cid).toString('latin1')
}

function bytesOf({ blocks }: BitswapMessage): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes.length, 0)
}
