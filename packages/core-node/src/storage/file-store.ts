import { createReadStream } from 'node:fs'
import { readFile, rm, stat, utimes } from 'node:fs/promises'
import { Readable } from 'node:stream'
import {
  type Block,
  type ByteRange,
  type CidVersion,
  ContentAddressError,
  createSha256,
  FileDag,
  parseCid,
  readUnixFsFile,
  resolvePath,
  type TreeEntry,
  walkTree,
} from '@aleph-ts/protocol'
import type { BlockPlace } from './block-index.ts'
import { DagArchive, type FileStat } from './dag-archive.ts'
import { Draft } from './draft.ts'
import { FileStoreError } from './file-store-error.ts'
import {
  type ByteSource,
  type FolderFile,
  type ImportedDag,
  writeBlocks,
  writeCar,
  writeFile,
  writeFolder,
} from './ipfs-drafts.ts'
import { writeInOtherLayout } from './other-layouts.ts'
import { fileAsCar } from './plain-file-car.ts'
import { ignoreAbsence, Shelves } from './shelves.ts'
import { blocksOfPlainFile, chunksOfFile, readLeaf, readPiece, type StoredBlock } from './stored-blocks.ts'

export type { FileStat } from './dag-archive.ts'
export { FileStoreError } from './file-store-error.ts'
export type { FolderFile, ImportedDag } from './ipfs-drafts.ts'

const chunkBytes = 256 * 1024

export interface StoredFile {
  /** sha256, lower-case hex. */
  hash: string
  size: number
}

/** What a path below a CID leads to. */
export interface StoredPath extends FileStat {
  cid: string
  /** The bytes of a file; a directory has none. */
  read(range?: ByteRange): Readable
}

/**
 * Files by content hash in a folder; a file is either absent or whole, whatever happens to the process. A file lies
 * there as it is, under its sha256 or its CID when its DAG is the one that its bytes give; every other DAG (folders,
 * other chunking) as an archive of its blocks.
 */
export class FileStore {
  readonly #shelves: Shelves

  private constructor(shelves: Shelves) {
    this.#shelves = shelves
  }

  /**
   * Opens the store in `folder`, creating it, and drops what an interrupted run had half written.
   *
   * @param options.isShared other processes write into the same store: only what is a day old is of an interrupted run
   */
  static async create(folder: string, { isShared = false } = {}): Promise<FileStore> {
    return new FileStore(await Shelves.open(folder, { isShared }))
  }

  async has(hash: string): Promise<boolean> {
    return (await this.stat(hash)) !== undefined
  }

  /** What is stored under a hash, or undefined when nothing is. */
  async stat(hash: string): Promise<FileStat | undefined> {
    const found = await stat(this.#shelves.pathOf(hash)).catch(ignoreAbsence)
    if (found?.isFile()) return { type: 'file', size: found.size }
    if (isSha256(hash)) return undefined
    await using archive = await DagArchive.open(this.#shelves.archiveOf(hash))
    return archive?.stat
  }

  /** Size in bytes as {@link stat} says, or undefined when nothing is stored under the hash. */
  async size(hash: string): Promise<number | undefined> {
    return (await this.stat(hash))?.size
  }

  /** When the file was written last, or undefined when it is not here. */
  async writtenAt(hash: string): Promise<Date | undefined> {
    const found =
      (await stat(this.#shelves.pathOf(hash)).catch(ignoreAbsence)) ??
      (await stat(this.#shelves.archiveOf(hash)).catch(ignoreAbsence))
    return found?.mtime
  }

  /**
   * The bytes as a stream, `start` and `end` (inclusive) as in `fs.createReadStream`. It fails with `ENOENT` when the
   * file is not here, and with `not_a_file` for a directory.
   */
  read(hash: string, range: ByteRange = {}): Readable {
    if (isSha256(hash)) return this.#readPlain(hash, range)
    return Readable.from(this.#readIpfs(hash, range), { objectMode: false, highWaterMark: chunkBytes })
  }

  /**
   * The whole file in memory, or undefined when it is not here; for files known to be small.
   *
   * @throws {ContentAddressError} `not_a_file` for a directory
   */
  async readBytes(hash: string): Promise<Uint8Array | undefined> {
    const plain = await readFile(this.#shelves.pathOf(hash)).catch(ignoreAbsence)
    if (plain || isSha256(hash)) return plain
    await using archive = await DagArchive.open(this.#shelves.archiveOf(hash))
    if (!archive) return undefined
    const parts: Uint8Array[] = []
    for await (const part of readUnixFsFile(parseCid(hash), archive.getBlock)) parts.push(part)
    return Buffer.concat(parts)
  }

  /**
   * What `path` below a CID leads to, or undefined when nothing is stored under the CID.
   *
   * @throws {ContentAddressError} `not_found`, `not_a_directory`, `invalid_path`
   */
  async readPath(cid: string, path: string): Promise<StoredPath | undefined> {
    const root = parseCid(cid)
    if (await this.#isPlain(cid)) {
      await resolvePath(root, path, () => {
        throw new ContentAddressError('not_a_directory', `${cid} is a file`)
      })
      return { ...(await this.stat(cid))!, cid, read: (range) => this.read(cid, range) }
    }
    await using archive = await DagArchive.open(this.#shelves.archiveOf(cid))
    if (!archive) return undefined
    const found = await resolvePath(root, path, archive.getBlock)
    const { value: entry } = await walkTree(found, archive.getBlock).next()
    if (!entry || entry.kind === 'symlink') {
      throw new ContentAddressError('not_a_file', `${path} is a symbolic link`)
    }
    return {
      cid: found.toString(),
      type: entry.kind === 'directory' ? 'dir' : 'file',
      size: entry.kind === 'directory' && found.equals(root) ? archive.stat.size : entry.size,
      read: (range) =>
        Readable.from(this.#readIpfs(cid, range, found.toString()), {
          objectMode: false,
          highWaterMark: chunkBytes,
        }),
    }
  }

  /**
   * Everything in a stored directory, directories before what is in them, files with their bytes (to be read before
   * the next entry is asked for); a stored file is one entry with the empty path. Nothing comes when nothing is stored
   * under the CID.
   */
  async *walk(cid: string): AsyncGenerator<TreeEntry & { read: () => AsyncIterable<Uint8Array> }, void> {
    const root = parseCid(cid)
    if (await this.#isPlain(cid)) {
      const { size } = (await this.stat(cid))!
      yield { path: '', cid: root, kind: 'file', size, read: () => this.read(cid) }
      return
    }
    await using archive = await DagArchive.open(this.#shelves.archiveOf(cid))
    if (!archive) return
    for await (const entry of walkTree(root, archive.getBlock)) {
      yield { ...entry, read: () => readUnixFsFile(entry.cid, archive.getBlock) }
    }
  }

  /**
   * Streams bytes in, hashing on the way, and keeps them durably under their sha256.
   *
   * @throws {FileStoreError} `file_too_large` beyond `maxBytes`; `hash_mismatch` when `expectedHash` is given and the
   * bytes are others
   */
  async write(source: ByteSource, options: { maxBytes: number; expectedHash?: string }): Promise<StoredFile> {
    await using draft = await Draft.create(this.#shelves.incoming)
    const sha256 = createSha256()
    await writeFile(draft, source, options.maxBytes, sha256)
    const hash = sha256.hex()
    if (options.expectedHash !== undefined && options.expectedHash !== hash) {
      throw new FileStoreError('hash_mismatch', `The bytes hash to ${hash}, not to ${options.expectedHash}`)
    }
    await draft.publish(this.#shelves.pathOf(hash))
    return { hash, size: draft.size }
  }

  /**
   * Streams a file in as Kubo's `add` does, and keeps it durably under its CID: the one of the usual layout, or
   * `expectedCid` when another known layout gives that.
   *
   * @throws {FileStoreError} `file_too_large`; `hash_mismatch` when `expectedCid` is given and the bytes give another
   */
  async addIpfsFile(
    source: ByteSource,
    options: { cidVersion?: CidVersion; maxBytes: number; expectedCid?: string },
  ): Promise<{ cid: string; size: number }> {
    await using draft = await Draft.create(this.#shelves.incoming)
    const dag = new FileDag({ cidVersion: options.cidVersion })
    await writeFile(draft, source, options.maxBytes, dag)
    const { cid: root, size } = dag.finish()
    const cid = root.toString()
    const { expectedCid = cid } = options
    if (cid === expectedCid) await this.#keep(draft, cid, this.#shelves.pathOf(cid))
    else if (!(await this.#keepInOtherLayout(draft, expectedCid))) checkCid(cid, expectedCid)
    return { cid: expectedCid, size }
  }

  /**
   * Streams the files of a folder in, one after the other, and keeps them under the CID of the folder.
   *
   * @throws {FileStoreError} `file_too_large` when all files have more than `maxBytes`; `hash_mismatch`
   * @throws {ContentAddressError} `invalid_path`, `too_large`
   */
  async addIpfsFolder(
    files: AsyncIterable<FolderFile> | Iterable<FolderFile>,
    options: { cidVersion?: CidVersion; maxBytes: number; expectedCid?: string },
  ): Promise<ImportedDag> {
    await using draft = await Draft.create(this.#shelves.incoming)
    const dag = await writeFolder(draft, files, options.maxBytes, options.cidVersion ?? 0)
    checkCid(dag.cid, options.expectedCid)
    await this.#keep(draft, dag.cid, this.#shelves.archiveOf(dag.cid))
    return dag
  }

  /**
   * Streams a CAR in, verifies every block and that they are the whole DAG of its one root, and keeps it under the
   * root's CID.
   *
   * @throws {FileStoreError} `file_too_large` when the CAR has more than `maxBytes`; `hash_mismatch` when its root is
   * not `expectedRoot`
   * @throws {ContentAddressError} for what is no CAR, or no whole and consistent UnixFS DAG
   */
  async importCar(
    source: ByteSource,
    options: { maxBytes: number; expectedRoot?: string },
  ): Promise<ImportedDag> {
    await using draft = await Draft.create(this.#shelves.incoming)
    const dag = await writeCar(draft, source, options.maxBytes, options.expectedRoot)
    await this.#keep(draft, dag.cid, this.#shelves.archiveOf(dag.cid))
    return dag
  }

  /**
   * Streams the blocks of a DAG in, in any order, verifies that they are the whole of it, and keeps it under its root's
   * CID. The blocks' own hashes were verified before.
   *
   * @throws {FileStoreError} `file_too_large` when all blocks have more than `maxBytes`
   * @throws {ContentAddressError} for what is no whole and consistent UnixFS DAG
   */
  async importBlocks(
    source: AsyncIterable<Block>,
    { root, maxBytes }: { root: string; maxBytes: number },
  ): Promise<ImportedDag> {
    await using draft = await Draft.create(this.#shelves.incoming)
    const dag = await writeBlocks(draft, source, maxBytes, parseCid(root))
    await this.#keep(draft, dag.cid, this.#shelves.archiveOf(dag.cid))
    return dag
  }

  /** Where the blocks are of what is stored under a CID. */
  async *blocks(cid: string): AsyncGenerator<StoredBlock, void> {
    if (await this.#isPlain(cid)) {
      yield* blocksOfPlainFile(parseCid(cid), chunksOfFile(this.#shelves.pathOf(cid)))
      return
    }
    await using archive = await DagArchive.open(this.#shelves.archiveOf(cid))
    if (archive) yield* archive.blocks()
  }

  /** The block at a place that {@link blocks} told, not verified; undefined when the file is gone. */
  async readBlock(cid: string, place: BlockPlace): Promise<Uint8Array | undefined> {
    const leaf = await readLeaf(this.#shelves.pathOf(cid), parseCid(cid).version, place).catch(ignoreAbsence)
    return leaf ?? (await readPiece(this.#shelves.archiveOf(cid), place).catch(ignoreAbsence))
  }

  /** What is stored under a CID as a CARv1, its blocks in no certain order; undefined when nothing is. */
  async exportCar(cid: string): Promise<Readable | undefined> {
    if (await this.#isPlain(cid)) {
      const blocks = fileAsCar(parseCid(cid), chunksOfFile(this.#shelves.pathOf(cid)))
      return Readable.from(blocks, { objectMode: false, highWaterMark: chunkBytes })
    }
    const path = this.#shelves.archiveOf(cid)
    if (!(await stat(path).catch(ignoreAbsence))) return undefined
    return Readable.from(archiveAsCar(path), { objectMode: false, highWaterMark: chunkBytes })
  }

  async delete(hash: string): Promise<void> {
    await rm(this.#shelves.pathOf(hash), { force: true })
    if (!isSha256(hash)) await rm(this.#shelves.archiveOf(hash), { force: true })
  }

  /** Hashes of all files, folder by folder. */
  list(): AsyncGenerator<string> {
    return this.#shelves.hashes()
  }

  async #keepInOtherLayout(plain: Draft, cid: string): Promise<boolean> {
    await using archive = await Draft.create(this.#shelves.incoming)
    const found = await writeInOtherLayout(archive, plain, parseCid(cid))
    if (found) await this.#keep(archive, cid, this.#shelves.archiveOf(cid))
    return found !== undefined
  }

  /** What is here already is as good, and new again. */
  async #keep(draft: Draft, cid: string, path: string): Promise<void> {
    if (!(await this.has(cid))) return draft.publish(path)
    const now = new Date()
    for (const known of [this.#shelves.pathOf(cid), this.#shelves.archiveOf(cid)]) {
      await utimes(known, now, now).catch(ignoreAbsence)
    }
  }

  #readPlain(hash: string, range: ByteRange): Readable {
    return createReadStream(this.#shelves.pathOf(hash), { ...range, highWaterMark: chunkBytes })
  }

  /** The file `inside` the DAG of `cid`, by default the DAG's root itself. */
  async *#readIpfs(cid: string, range: ByteRange = {}, inside = cid): AsyncGenerator<Uint8Array, void> {
    await using archive = await DagArchive.open(this.#shelves.archiveOf(cid))
    if (archive) yield* readUnixFsFile(parseCid(inside), archive.getBlock, range)
    else yield* this.#readPlain(cid, range)
  }

  async #isPlain(cid: string): Promise<boolean> {
    return (await stat(this.#shelves.pathOf(cid)).catch(ignoreAbsence))?.isFile() ?? false
  }
}

async function* archiveAsCar(path: string): AsyncGenerator<Uint8Array, void> {
  await using archive = await DagArchive.open(path)
  if (archive) yield* archive.car()
}

function checkCid(cid: string, expected: string | undefined): void {
  if (expected === undefined || expected === cid) return
  throw new FileStoreError('hash_mismatch', `The CID is ${cid}, not ${expected}`)
}

function isSha256(hash: string): boolean {
  return /^[0-9a-f]{64}$/.test(hash)
}
