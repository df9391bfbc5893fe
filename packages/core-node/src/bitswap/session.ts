import {
  type Block,
  type Cid,
  ContentAddressError,
  decodeUnixFsNode,
  inlineBlock,
  linksOf,
} from '@aleph-ts/protocol'
import { maxArchiveBlocks } from '../storage/dag-archive.ts'
import { blockKey, type WantEntry } from './message.ts'

/** Blocks asked for and not yet taken by the reader: bounds the memory of one fetch. */
const window = 32
/** How long peers may take to say whether they have the root, ms. */
const searchMs = 5_000
/** A peer that was asked and sends nothing for so long is given up, ms. */
const stallMs = 10_000

export interface SessionOptions {
  root: Cid
  /** Peers that are asked whether they have it. */
  peers: string[]
  want: (peer: string, entries: WantEntry[]) => void
  /** A peer was given up: it sent nothing for too long. */
  onStall: (peer: string) => void
  signal: AbortSignal
  searchMs?: number
  stallMs?: number
}

/** A block that a peer was asked for. */
interface Question {
  cid: Cid
  answer: (bytes: Uint8Array | undefined) => void
}

/** A peer that is asked for blocks. */
interface Source {
  /** What it was asked for and has not answered, by key. */
  asked: Map<string, Question>
  stalled: NodeJS.Timeout | undefined
}

/**
 * Fetches one DAG from connected peers: asks who has its root, and those for block after block, each block of one peer
 * at a time and of the next one when the first has not got it; what none of them has is asked of the others.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #rootKey: string
  readonly #sources = new Map<string, Source>()
  /** Peers that have not said yet whether they have the root. */
  readonly #searched: Set<string>
  /** Peers without the root, which may have what those with the root lack. */
  readonly #others = new Set<string>()
  /** Resolves when one more peer has said, or is not waited for any longer. */
  #rootAnswer = Promise.withResolvers<void>()
  #searchEnd: NodeJS.Timeout | undefined
  /** Blocks this session has ever asked for: late copies of them are no lies. */
  readonly #everAsked = new Set<string>()
  #toSend = new Map<string, WantEntry[]>()
  #isOver = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#rootKey = blockKey(options.root)
    this.#searched = new Set(options.peers)
    this.#everAsked.add(this.#rootKey)
  }

  /**
   * The blocks, the root first, each verified.
   *
   * @throws {ContentAddressError} `missing_block` when no peer has one of them; `invalid_dag`, `too_large`
   */
  async *blocks(): AsyncGenerator<Block, void> {
    const { signal } = this.#options
    const onAbort = () => this.#end()
    signal.addEventListener('abort', onAbort)
    try {
      if (signal.aborted) return
      this.#search()
      yield* this.#walk()
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#end()
    }
  }

  /** A peer says whether it has a block. */
  onPresence(peer: string, key: string, has: boolean): void {
    if (this.#isOver) return
    if (key === this.#rootKey && this.#searched.has(peer)) this.#onRootAnswer(peer, has)
    if (!has) this.#sources.get(peer)?.asked.get(key)?.answer(undefined)
  }

  /**
   * A block whose bytes have this key came from a peer.
   *
   * @returns whether this session ever asked for it
   */
  onBlock(peer: string, key: string, bytes: Uint8Array): boolean {
    // Small blocks come at once instead of the word that they are there.
    if (key === this.#rootKey && this.#searched.has(peer)) this.#onRootAnswer(peer, true)
    // A copy that comes late, from a peer asked before, is as good as any.
    for (const { asked } of this.#sources.values()) asked.get(key)?.answer(bytes)
    const source = this.#sources.get(peer)
    if (source && source.asked.size > 0) source.stalled?.refresh()
    return this.#everAsked.has(key)
  }

  /** A peer is gone, or not worth asking any more. */
  drop(peer: string): void {
    if (this.#searched.has(peer)) this.#onRootAnswer(peer, false)
    this.#others.delete(peer)
    const source = this.#sources.get(peer)
    if (!source) return
    this.#sources.delete(peer)
    clearTimeout(source.stalled)
    for (const { answer } of [...source.asked.values()]) answer(undefined)
  }

  #onRootAnswer(peer: string, has: boolean): void {
    this.#searched.delete(peer)
    if (has) this.#addSource(peer)
    else this.#others.add(peer)
    const { resolve } = this.#rootAnswer
    this.#rootAnswer = Promise.withResolvers()
    resolve()
  }

  #addSource(peer: string): void {
    if (!this.#isOver) this.#sources.set(peer, { asked: new Map(), stalled: undefined })
  }

  #search(): void {
    const { peers, root, want } = this.#options
    for (const peer of peers) want(peer, [entry(root, 'have')])
    const endSearch = () => {
      for (const peer of [...this.#searched]) this.#onRootAnswer(peer, false)
    }
    this.#searchEnd = setTimeout(endSearch, this.#options.searchMs ?? searchMs)
  }

  async *#walk(): AsyncGenerator<Block, void> {
    const seen = new Set<string>()
    const ahead: Cid[] = [this.#options.root]
    const coming: Promise<Block>[] = []
    for (;;) {
      while (coming.length < window && ahead.length > 0) {
        const cid = ahead.pop()!
        const key = cid.toString()
        if (seen.has(key)) continue
        seen.add(key)
        const block = this.#fetch(cid)
        // Whoever reads learns of the first failure; the others are its consequence.
        block.catch(() => {})
        coming.push(block)
      }
      const next = coming.shift()
      if (!next) return
      const block = await next
      yield block
      for (const link of linksOf(decodeUnixFsNode(block.cid, block.bytes)).reverse()) ahead.push(link.cid)
      if (seen.size + ahead.length > 2 * maxArchiveBlocks) {
        throw new ContentAddressError('too_large', `The DAG has more than ${2 * maxArchiveBlocks} links`)
      }
    }
  }

  async #fetch(cid: Cid): Promise<Block> {
    const inline = inlineBlock(cid)
    if (inline) return { cid, bytes: inline }
    const tried = new Set<string>()
    for (;;) {
      const peer = this.#leastBusy(tried) ?? this.#anotherPeer()
      if (peer === undefined) {
        if (this.#isOver || this.#searched.size === 0) {
          throw new ContentAddressError('missing_block', `No connected peer has block ${cid}`)
        }
        await this.#rootAnswer.promise
        continue
      }
      tried.add(peer)
      const bytes = await this.#ask(peer, cid)
      if (bytes) return { cid, bytes }
    }
  }

  #anotherPeer(): string | undefined {
    const [peer] = this.#sources.size > 0 ? this.#others : []
    if (peer === undefined) return undefined
    this.#others.delete(peer)
    this.#addSource(peer)
    return peer
  }

  #leastBusy(tried: Set<string>): string | undefined {
    let best: string | undefined
    for (const [peer, { asked }] of this.#sources) {
      if (tried.has(peer)) continue
      if (best === undefined || asked.size < this.#sources.get(best)!.asked.size) best = peer
    }
    return best
  }

  /** Undefined when the peer has not got it, is gone, or sends nothing. */
  #ask(peer: string, cid: Cid): Promise<Uint8Array | undefined> {
    const source = this.#sources.get(peer)!
    const key = blockKey(cid)
    this.#everAsked.add(key)
    return new Promise((resolve) => {
      const same = source.asked.get(key)
      const answer: Question['answer'] = (bytes) => {
        source.asked.delete(key)
        if (source.asked.size === 0) clearTimeout(source.stalled)
        // The same bytes may be two blocks, one of each codec.
        same?.answer(bytes)
        resolve(bytes)
      }
      source.asked.set(key, { cid, answer })
      if (source.asked.size === 1) source.stalled = setTimeout(() => this.#giveUp(peer), this.#stallMs)
      this.#sendSoon(peer, entry(cid, 'block'))
    })
  }

  #giveUp(peer: string): void {
    this.#options.onStall(peer)
    this.drop(peer)
  }

  /** What is asked in one turn of the event loop goes in one message. */
  #sendSoon(peer: string, want: WantEntry): void {
    if (this.#toSend.size === 0) setImmediate(() => this.#sendNow())
    this.#toSend.set(peer, [...(this.#toSend.get(peer) ?? []), want])
  }

  #sendNow(): void {
    const toSend = this.#toSend
    this.#toSend = new Map()
    for (const [peer, entries] of toSend) if (!this.#isOver) this.#options.want(peer, entries)
  }

  /** Takes back what was asked and not answered. */
  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#searchEnd)
    this.#rootAnswer.resolve()
    const { want, root } = this.#options
    for (const peer of this.#searched) want(peer, [cancelled(root)])
    for (const [peer, { asked }] of this.#sources) {
      if (asked.size > 0)
        want(
          peer,
          [...asked.values()].map(({ cid }) => cancelled(cid)),
        )
      this.drop(peer)
    }
  }

  get #stallMs(): number {
    return this.#options.stallMs ?? stallMs
  }
}

function entry(cid: Cid, wantType: WantEntry['wantType']): WantEntry {
  return { cid: cid.bytes, priority: 1, cancel: false, wantType, sendDontHave: true }
}

function cancelled(cid: Cid): WantEntry {
  return { ...entry(cid, 'block'), cancel: true, sendDontHave: false }
}
