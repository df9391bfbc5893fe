import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { sha256Bytes } from '../hash/sha256.ts'
import type { Bound } from './bound.ts'
import { blockCapacity, lanes, MessageBlock } from './message-block.ts'

/** A message as reconciliation sees it. */
export interface SetEntry {
  /** The sender's time, whole microseconds. */
  time: number
  /** 32 bytes. */
  digest: Uint8Array
}

const sha256Pattern = /^[0-9a-f]{64}$/

/**
 * The messages that a node holds, ordered by time and hash, with sums over any range of them in logarithmic time.
 *
 * Takes 40 bytes a message in blocks that are at least half full (55 on average when they come in any order, 40 when
 * by time), and some 250 more for each whose hash is a CID.
 */
export class MessageSet {
  #blocks: MessageBlock[] = []
  /** Texts of the hashes that are not hexadecimal digests, by digest. */
  readonly #names = new Map<string, string>()
  /** Keys and sums before each block; rebuilt when needed after a change. */
  #before: { counts: Float64Array; sums: Uint32Array } | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /**
   * Adds a message.
   *
   * @param time the sender's time, whole microseconds
   * @returns false when it is there already
   */
  add(time: number, itemHash: string): boolean {
    const digest = digestOf(itemHash)
    const index = this.#blockOf(time, digest)
    const block = this.#blocks[index] ?? this.#append()
    const position = block.lowerBound(time, digest)
    if (block.holds(position, time, digest)) return false
    if (!sha256Pattern.test(itemHash)) this.#names.set(bytesToHex(digest), itemHash)
    this.#insert(block, index, position, { time, digest })
    this.#size += 1
    this.#before = undefined
    return true
  }

  /** Removes a message; false when it is not there. */
  delete(time: number, itemHash: string): boolean {
    const digest = digestOf(itemHash)
    const index = this.#blockOf(time, digest)
    const block = this.#blocks[index]
    const position = block?.lowerBound(time, digest) ?? 0
    if (!block?.holds(position, time, digest)) return false
    this.#names.delete(bytesToHex(digest))
    block.remove(position)
    if (block.count === 0) this.#blocks.splice(index, 1)
    this.#size -= 1
    this.#before = undefined
    return true
  }

  /** How many messages are before a border. */
  rank({ time, prefix }: Bound): number {
    // Keys that begin with the prefix may fill several blocks: the first of them counts.
    const index = this.#lastBlock((block) => block.compare(0, time, prefix) < 0)
    const block = this.#blocks[index]
    return block ? this.#prefixes().counts[index]! + block.lowerBound(time, prefix) : 0
  }

  /** The message with so many before it. */
  at(rank: number): SetEntry {
    const { index, position } = this.#locate(rank)
    const block = this.#blocks[index]
    if (!block || position >= block.count) throw new RangeError(`no message number ${rank}`)
    return { time: block.times[position]!, digest: block.digest(position) }
  }

  /** The hash of a message of this set, from its digest. */
  nameOf(digest: Uint8Array): string {
    const hex = bytesToHex(digest)
    return this.#names.get(hex) ?? hex
  }

  /** The sum of the digests of messages number `from` up to but without `to`, word by word modulo 2^32. */
  sum(from: number, to: number): Uint32Array {
    const [low, high] = [this.#sumBefore(from), this.#sumBefore(to)]
    for (let lane = 0; lane < lanes; lane++) high[lane]! -= low[lane]!
    return high
  }

  #sumBefore(rank: number): Uint32Array {
    const { index, position } = this.#locate(rank)
    const sum = this.#prefixes().sums.slice(index * lanes, (index + 1) * lanes)
    this.#blocks[index]?.addTo(sum, position)
    return sum
  }

  #locate(rank: number): { index: number; position: number } {
    const { counts } = this.#prefixes()
    let [low, high] = [0, this.#blocks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (counts[middle + 1]! <= rank) low = middle + 1
      else high = middle
    }
    return { index: low, position: rank - counts[low]! }
  }

  /** The block that a message belongs into. */
  #blockOf(time: number, digest: Uint8Array): number {
    return this.#lastBlock((block) => block.compare(0, time, digest) <= 0)
  }

  /** The last block that begins early enough; the first one when none does. */
  #lastBlock(beginsEarly: (block: MessageBlock) => boolean): number {
    let [low, high] = [0, this.#blocks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (beginsEarly(this.#blocks[middle]!)) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }

  #insert(block: MessageBlock, index: number, position: number, { time, digest }: SetEntry): void {
    if (block.count < blockCapacity) {
      block.insert(position, time, digest)
    } else if (position === block.count && index === this.#blocks.length - 1) {
      // Messages mostly come by time: the last block is left full rather than halved.
      this.#append().insert(0, time, digest)
    } else {
      const upper = block.split()
      this.#blocks.splice(index + 1, 0, upper)
      if (position > block.count) upper.insert(position - block.count, time, digest)
      else block.insert(position, time, digest)
    }
  }

  #append(): MessageBlock {
    const block = new MessageBlock()
    this.#blocks.push(block)
    return block
  }

  #prefixes(): { counts: Float64Array; sums: Uint32Array } {
    if (this.#before) return this.#before
    const counts = new Float64Array(this.#blocks.length + 1)
    const sums = new Uint32Array((this.#blocks.length + 1) * lanes)
    for (const [index, block] of this.#blocks.entries()) {
      counts[index + 1] = counts[index]! + block.count
      for (let lane = 0; lane < lanes; lane++) {
        sums[(index + 1) * lanes + lane] = sums[index * lanes + lane]! + block.sum[lane]!
      }
    }
    this.#before = { counts, sums }
    return this.#before
  }
}

function digestOf(itemHash: string): Uint8Array {
  return sha256Pattern.test(itemHash) ? hexToBytes(itemHash) : sha256Bytes(itemHash)
}
