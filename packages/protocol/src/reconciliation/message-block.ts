/** Messages of one block; large enough to keep blocks few, small enough that shifting one is cheap. */
export const blockCapacity = 512
/** A digest is summed up as so many 32-bit words. */
export const lanes = 8
export const digestBytes = 4 * lanes

/** A neighbourhood of an ordered set: keys side by side in two arrays, with the sum of their digests. */
export class MessageBlock {
  readonly times = new Float64Array(blockCapacity)
  readonly digests = new Uint8Array(blockCapacity * digestBytes)
  /** Sum of the digests, word by word, modulo 2^32. */
  readonly sum = new Uint32Array(lanes)
  count = 0
  readonly #words = new Uint32Array(this.digests.buffer)

  /** Position of the first key that is not below the given one; `digest` may be a prefix. */
  lowerBound(time: number, digest: Uint8Array): number {
    let [low, high] = [0, this.count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compare(middle, time, digest) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Order of the key at a position against another; a prefix stands for itself with zeros behind it. */
  compare(position: number, time: number, digest: Uint8Array): number {
    const difference = this.times[position]! - time
    if (difference !== 0) return difference
    const at = position * digestBytes
    for (let index = 0; index < digest.length; index++) {
      const byte = this.digests[at + index]! - digest[index]!
      if (byte !== 0) return byte
    }
    return 0
  }

  holds(position: number, time: number, digest: Uint8Array): boolean {
    return position < this.count && this.compare(position, time, digest) === 0
  }

  digest(position: number): Uint8Array {
    return this.digests.subarray(position * digestBytes, (position + 1) * digestBytes)
  }

  insert(position: number, time: number, digest: Uint8Array): void {
    this.times.copyWithin(position + 1, position, this.count)
    this.digests.copyWithin((position + 1) * digestBytes, position * digestBytes, this.count * digestBytes)
    this.times[position] = time
    this.digests.set(digest, position * digestBytes)
    this.count += 1
    for (let lane = 0; lane < lanes; lane++) this.sum[lane]! += this.#words[position * lanes + lane]!
  }

  remove(position: number): void {
    for (let lane = 0; lane < lanes; lane++) this.sum[lane]! -= this.#words[position * lanes + lane]!
    this.times.copyWithin(position, position + 1, this.count)
    this.digests.copyWithin(position * digestBytes, (position + 1) * digestBytes, this.count * digestBytes)
    this.count -= 1
  }

  /** Moves the upper half into a block of its own. */
  split(): MessageBlock {
    const upper = new MessageBlock()
    const half = this.count >>> 1
    for (let position = half; position < this.count; position++) {
      upper.insert(position - half, this.times[position]!, this.digest(position))
    }
    for (let lane = 0; lane < lanes; lane++) this.sum[lane]! -= upper.sum[lane]!
    this.count = half
    return upper
  }

  /** Adds the digests of the first `end` keys to `into`. */
  addTo(into: Uint32Array, end: number): void {
    for (let at = 0; at < end * lanes; at += lanes) {
      for (let lane = 0; lane < lanes; lane++) into[lane]! += this.#words[at + lane]!
    }
  }
}
