import { decode } from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { type Cid, checkSupported, decodeCid, verifyBlock } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import type { Block } from './file-dag.ts'
import { decodeVarint, maxVarintLength } from './varint.ts'

/** Largest block, bytes: twice what IPFS nodes exchange. */
export const maxBlockBytes = 4 * 1024 * 1024
const maxHeaderBytes = 8192
const maxCidBytes = 200
/** CARv2 begins with this CARv1-shaped header `{version: 2}`, then 40 bytes that say where the CARv1 inside is. */
const version2HeaderBytes = 40

export interface CarBlock extends Block {
  /** Where its bytes begin in the CAR, bytes. */
  offset: number
}

export interface CarReaderOptions {
  /** Called once, before the first block. Throw to refuse. */
  onHeader?: (roots: Cid[]) => void
  /** Takes every block, its hash verified. `bytes` are good until the next `push`. */
  onBlock: (block: CarBlock) => void
  /** Most blocks. @default 1,000,000 */
  maxBlocks?: number
}

type State = 'header' | 'inner header' | 'version 2' | 'padding' | 'frame' | 'index'

/**
 * Reads a CAR (version 1 or 2) from chunks of any size, and verifies every block's hash. It holds one block at most.
 * Whether the blocks make a whole DAG is for `verifyDag` to say: a CAR may have them in any order. Not
 * `@ipld/car`, which reads asynchronously and does not verify.
 *
 * @example
 * const reader = new CarReader({ onBlock: ({ cid, bytes }) => blocks.set(cid.toString(), bytes.slice()) })
 * for await (const chunk of stream) reader.push(chunk)
 * const [root] = reader.finish()
 */
export class CarReader {
  readonly #options: CarReaderOptions
  readonly #maxBlocks: number
  /** The beginning of a piece whose rest is still to come: the first `#held` bytes. */
  #buffer = new Uint8Array()
  /** The buffer before it, to be filled next: blocks of the last `push` are still in it. */
  #spare = new Uint8Array()
  #held = 0
  /** Bytes that must be there before it is worth looking. */
  #wanted = 1
  /** Bytes taken from the stream so far. */
  #offset = 0
  #state: State = 'header'
  /** Where the CARv1 ends, when it is inside a CARv2. */
  #end = Number.POSITIVE_INFINITY
  #dataStart = 0
  #roots: Cid[] | undefined
  #blocks = 0

  constructor(options: CarReaderOptions) {
    this.#options = options
    this.#maxBlocks = options.maxBlocks ?? 1_000_000
  }

  /** @throws {ContentAddressError} `invalid_car`, `wrong_bytes`, `too_large`, `unsupported_cid`, `invalid_cid` */
  push(chunk: Uint8Array): void {
    if (this.#held === 0) {
      this.#consume(chunk)
      return
    }
    this.#hold(chunk)
    if (this.#held < this.#wanted) return
    const bytes = this.#buffer.subarray(0, this.#held)
    ;[this.#buffer, this.#spare] = [this.#spare, this.#buffer]
    this.#held = 0
    this.#consume(bytes)
  }

  /**
   * The roots, after the last chunk.
   *
   * @throws {ContentAddressError} `invalid_car` when it ends too early
   */
  finish(): Cid[] {
    const isWhole = this.#end === Number.POSITIVE_INFINITY || this.#state === 'index'
    if (!this.#roots || this.#held > 0 || !isWhole) throw invalid('it ends too early')
    return this.#roots
  }

  #consume(bytes: Uint8Array): void {
    let rest = bytes
    this.#wanted = 1
    while (rest.length > 0) {
      const taken = this.#take(rest)
      if (taken === 0) break
      this.#offset += taken
      rest = rest.subarray(taken)
    }
    this.#hold(rest)
  }

  #hold(bytes: Uint8Array): void {
    const held = this.#held + bytes.length
    if (held > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(held, this.#wanted))
      larger.set(this.#buffer.subarray(0, this.#held))
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.#held)
    this.#held = held
  }

  /** Takes the next piece off the beginning; 0 when more bytes are needed, and `#wanted` says how many. */
  #take(bytes: Uint8Array): number {
    switch (this.#state) {
      case 'index':
        return bytes.length
      case 'padding':
        return this.#takePadding(bytes)
      case 'version 2':
        return this.#takeVersion2(bytes)
      case 'header':
      case 'inner header':
        return this.#takeSection(bytes, maxHeaderBytes, (body) => this.#readHeader(body))
      case 'frame':
        return this.#takeSection(bytes, maxBlockBytes + maxCidBytes, (body, at) => this.#readFrame(body, at))
    }
  }

  #takeSection(bytes: Uint8Array, maxBytes: number, read: (body: Uint8Array, at: number) => void): number {
    const prefix = sectionLength(bytes)
    if (!prefix) return this.#want(bytes.length + 1)
    const { value: length, length: prefixLength } = prefix
    if (length === 0) throw invalid('a section is empty')
    if (length > maxBytes) {
      throw new ContentAddressError(
        'too_large',
        `A part of the CAR has ${length} bytes, at most ${maxBytes} are taken`,
      )
    }
    const whole = prefixLength + length
    if (this.#offset + whole > this.#end) throw invalid('a section goes beyond its end')
    if (bytes.length < whole) return this.#want(whole)
    read(bytes.subarray(prefixLength, whole), this.#offset + prefixLength)
    if (this.#offset + whole === this.#end) this.#state = 'index'
    return whole
  }

  #readHeader(body: Uint8Array): void {
    const { version, roots } = decodeHeader(body)
    if (version === 2 && this.#state === 'header') {
      this.#state = 'version 2'
      return
    }
    if (version !== 1 || !Array.isArray(roots)) throw invalid('its header is of another version')
    this.#roots = roots.map((root) => {
      const cid = CID.asCID(root)
      if (!cid) throw invalid('a root is no CID')
      checkSupported(cid)
      return cid
    })
    this.#state = 'frame'
    this.#options.onHeader?.(this.#roots)
  }

  #takeVersion2(bytes: Uint8Array): number {
    if (bytes.length < version2HeaderBytes) return this.#want(version2HeaderBytes)
    const view = new DataView(bytes.buffer, bytes.byteOffset, version2HeaderBytes)
    const start = Number(view.getBigUint64(16, true))
    const size = Number(view.getBigUint64(24, true))
    if (start < this.#offset + version2HeaderBytes || size === 0 || !Number.isSafeInteger(start + size)) {
      throw invalid('its version 2 header points nowhere')
    }
    this.#dataStart = start
    this.#end = start + size
    this.#state = 'padding'
    return version2HeaderBytes
  }

  #takePadding(bytes: Uint8Array): number {
    const left = this.#dataStart - this.#offset
    if (left <= bytes.length) this.#state = 'inner header'
    if (left > 0) return Math.min(left, bytes.length)
    return this.#take(bytes)
  }

  #readFrame(body: Uint8Array, at: number): void {
    if (++this.#blocks > this.#maxBlocks) {
      throw new ContentAddressError('too_large', `The CAR has more than ${this.#maxBlocks} blocks`)
    }
    const { cid, length } = decodeCid(body)
    const bytes = body.subarray(length)
    verifyBlock(cid, bytes)
    this.#options.onBlock({ cid, bytes, offset: at + length })
  }

  #want(bytes: number): 0 {
    this.#wanted = bytes
    return 0
  }
}

function sectionLength(bytes: Uint8Array): { value: number; length: number } | null {
  try {
    return decodeVarint(bytes.subarray(0, maxVarintLength))
  } catch (error) {
    throw invalid((error as Error).message)
  }
}

function decodeHeader(body: Uint8Array): { version?: unknown; roots?: unknown } {
  try {
    return decode<{ version?: unknown; roots?: unknown }>(body) ?? {}
  } catch (error) {
    throw invalid(`its header is no DAG-CBOR (${(error as Error).message})`)
  }
}

function invalid(reason: string): ContentAddressError {
  return new ContentAddressError('invalid_car', `Not a CAR: ${reason}`)
}
