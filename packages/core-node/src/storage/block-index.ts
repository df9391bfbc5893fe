import type { Cid } from '@aleph-ts/protocol'

const digestBytes = 32
const offsetBytes = 6
const lengthBytes = 4
const entryBytes = digestBytes + offsetBytes + lengthBytes

export interface BlockPlace {
  /** Where the block's bytes begin in the file. */
  offset: number
  length: number
}

/** Where blocks are, by the sha256 in their CIDs: a sorted table, searched as it lies on disk. */
export class BlockIndex {
  readonly #table: Buffer

  /** @param table what {@link BlockIndexBuilder.toBytes} gave */
  constructor(table: Buffer) {
    this.#table = table
  }

  /** Every block, in the order of the digests. */
  *entries(): Generator<{ digest: Uint8Array; place: BlockPlace }, void> {
    for (let at = 0; at < this.#table.length; at += entryBytes) {
      const digest = this.#table.subarray(at, at + digestBytes)
      yield { digest, place: readPlace(this.#table, at + digestBytes) }
    }
  }

  find(cid: Cid): BlockPlace | undefined {
    const { digest } = cid.multihash
    let low = 0
    let high = this.#table.length / entryBytes
    while (low < high) {
      const middle = (low + high) >> 1
      const at = middle * entryBytes
      const order = Buffer.compare(this.#table.subarray(at, at + digestBytes), digest)
      if (order === 0) return readPlace(this.#table, at + digestBytes)
      if (order < 0) low = middle + 1
      else high = middle
    }
  }
}

export class BlockIndexBuilder {
  readonly #places = new Map<string, BlockPlace>()

  /** False when the block is known already. */
  add(cid: Cid, place: BlockPlace): boolean {
    const key = digestKey(cid)
    if (this.#places.has(key)) return false
    this.#places.set(key, place)
    return true
  }

  find(cid: Cid): BlockPlace | undefined {
    return this.#places.get(digestKey(cid))
  }

  get size(): number {
    return this.#places.size
  }

  toBytes(): Buffer {
    const table = Buffer.alloc(this.#places.size * entryBytes)
    let at = 0
    // One-byte characters sort as their bytes do.
    for (const key of [...this.#places.keys()].sort()) {
      const { offset, length } = this.#places.get(key)!
      table.write(key, at, 'latin1')
      table.writeUIntBE(offset, at + digestBytes, offsetBytes)
      table.writeUInt32BE(length, at + digestBytes + offsetBytes)
      at += entryBytes
    }
    return table
  }
}

function digestKey(cid: Cid): string {
  return Buffer.from(cid.multihash.digest).toString('latin1')
}

function readPlace(table: Buffer, at: number): BlockPlace {
  return { offset: table.readUIntBE(at, offsetBytes), length: table.readUInt32BE(at + offsetBytes) }
}
