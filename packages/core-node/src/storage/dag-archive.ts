import { type FileHandle, open } from 'node:fs/promises'
import {
  type Block,
  type Cid,
  ContentAddressError,
  carFramePrefix,
  carHeader,
  type DagSummary,
  type GetBlock,
  verifyBlock,
  verifyDag,
} from '@aleph-ts/protocol'
import { BlockIndex, BlockIndexBuilder } from './block-index.ts'
import { type Draft, readExactly } from './draft.ts'
import type { StoredBlock } from './stored-blocks.ts'

/*
 * A DAG on disk: a CARv1 with one root, the index of its blocks, and a footer of fixed length that says where the
 * index begins and what the DAG is. One file, so that a DAG is either there or not.
 */

const magic = Buffer.from('alephdag')
const footerBytes = 40
const identityHash = 0
/** Most blocks of one DAG: bounds the memory that importing one takes. */
export const maxArchiveBlocks = 250_000
const readAheadBytes = 256 * 1024

/** What a stored DAG is, as the state records it. */
export interface FileStat {
  type: 'file' | 'dir'
  /** Bytes of a file; of a directory, the bytes of all its blocks. */
  size: number
}

/** Writes blocks in any order into a draft. */
export class DagArchiveWriter {
  readonly #draft: Draft
  readonly #index = new BlockIndexBuilder()
  #header: Uint8Array | undefined

  constructor(draft: Draft) {
    this.#draft = draft
  }

  /** Call it first. A root of the same CID version may take this one's place in `finish`. */
  async begin(root: Cid): Promise<void> {
    this.#header = carHeader([root])
    await this.#draft.append(this.#header)
  }

  /** Adds a block whose hash is known to be right; one that is there already, or in its CID, takes no place. */
  async add({ cid, bytes }: Block): Promise<void> {
    if (cid.multihash.code === identityHash) return
    const prefix = carFramePrefix(cid, bytes.length)
    const offset = this.#draft.size + prefix.length
    if (!this.#index.add(cid, { offset, length: bytes.length })) return
    if (this.#index.size > maxArchiveBlocks) {
      throw new ContentAddressError('too_large', `The DAG has more than ${maxArchiveBlocks} blocks`)
    }
    await this.#draft.append(prefix)
    await this.#draft.append(bytes)
  }

  /**
   * Verifies that the blocks are the whole DAG below `root` and nothing else.
   *
   * @throws {ContentAddressError}
   */
  async finish(root: Cid): Promise<FileStat> {
    const stat = statOf(await this.#verify(root))
    await this.#draft.overwrite(carHeader([root]), 0)
    const footer = Buffer.alloc(footerBytes)
    magic.copy(footer)
    footer.writeBigUInt64BE(BigInt(this.#draft.size), 8)
    footer.writeBigUInt64BE(BigInt(stat.size), 16)
    footer.writeUInt8(stat.type === 'dir' ? 1 : 0, 24)
    await this.#draft.append(this.#index.toBytes())
    await this.#draft.append(footer)
    return stat
  }

  async #verify(root: Cid): Promise<DagSummary> {
    if (carHeader([root]).length !== this.#header?.length) throw new TypeError('another CID version')
    const used = new Set<number>()
    const summary = await verifyDag(
      root,
      (cid) => {
        const place = this.#index.find(cid)
        if (!place) return undefined
        used.add(place.offset)
        return this.#draft.read(place.offset, place.length)
      },
      { maxBlocks: 2 * maxArchiveBlocks },
    )
    if (used.size === this.#index.size) return summary
    const others = this.#index.size - used.size
    throw new ContentAddressError('invalid_car', `${others} blocks are no part of the DAG of ${root}`)
  }
}

/** A DAG on disk, open. */
export class DagArchive {
  readonly stat: FileStat
  /** Length of the CAR at the beginning. */
  readonly carBytes: number
  readonly #file: FileHandle
  readonly #indexBytes: number
  #index: BlockIndex | undefined

  private constructor(file: FileHandle, stat: FileStat, carBytes: number, indexBytes: number) {
    this.#file = file
    this.stat = stat
    this.carBytes = carBytes
    this.#indexBytes = indexBytes
  }

  /** Undefined when there is no such file. */
  static async open(path: string): Promise<DagArchive | undefined> {
    const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    if (!file) return undefined
    try {
      const { size } = await file.stat()
      const footer = await readExactly(file, Math.max(0, size - footerBytes), footerBytes)
      if (!footer.subarray(0, magic.length).equals(magic)) throw new Error(`${path} is damaged`)
      const carBytes = Number(footer.readBigUInt64BE(8))
      const stat: FileStat = {
        type: footer.readUInt8(24) === 1 ? 'dir' : 'file',
        size: Number(footer.readBigUInt64BE(16)),
      }
      return new DagArchive(file, stat, carBytes, size - footerBytes - carBytes)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Verified again on its way out: a disk may rot. */
  readonly getBlock: GetBlock = async (cid) => {
    const place = (await this.#loadIndex()).find(cid)
    if (!place) return undefined
    const bytes = await readExactly(this.#file, place.offset, place.length)
    verifyBlock(cid, bytes)
    return bytes
  }

  async *blocks(): AsyncGenerator<StoredBlock, void> {
    yield* (await this.#loadIndex()).entries()
  }

  async *car(): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < this.carBytes; at += readAheadBytes) {
      yield await readExactly(this.#file, at, Math.min(readAheadBytes, this.carBytes - at))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }

  async #loadIndex(): Promise<BlockIndex> {
    this.#index ??= new BlockIndex(await readExactly(this.#file, this.carBytes, this.#indexBytes))
    return this.#index
  }
}

function statOf({ kind, size, dagSize }: DagSummary): FileStat {
  if (kind === 'symlink') {
    throw new ContentAddressError('not_a_file', 'The root is a symbolic link: neither a file nor a directory')
  }
  return kind === 'file' ? { type: 'file', size } : { type: 'dir', size: dagSize }
}
