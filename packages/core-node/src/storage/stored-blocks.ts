import { open } from 'node:fs/promises'
import {
  type Block,
  type Cid,
  chunkBytes,
  FileDag,
  type FileLeaf,
  fileLeaf,
  leafBytes,
} from '@aleph-ts/protocol'
import type { BlockPlace } from './block-index.ts'
import { readExactly } from './draft.ts'

/** Where a block of a stored file is. */
export interface StoredBlock {
  /** The sha256 in its CID. */
  digest: Uint8Array
  /** The piece of the stored file that the block is made of. */
  place: BlockPlace
  /** The block itself, where it is no piece of the file: nodes above the leaves of a file that lies there as it is. */
  bytes?: Uint8Array
}

/** The blocks of the DAG of a file that lies there as it is, in the order in which they are made. */
export async function* blocksOfPlainFile(
  cid: Cid,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StoredBlock, void> {
  const made: StoredBlock[] = []
  let offset = 0
  const onLeaf = ({ cid: leaf, chunk: { length } }: FileLeaf): void => {
    made.push({ digest: leaf.multihash.digest, place: { offset, length } })
    offset += length
  }
  const onBlock = ({ cid: node, bytes }: Block): void => {
    made.push({ digest: node.multihash.digest, place: { offset: 0, length: bytes.length }, bytes })
  }
  const dag = new FileDag({ cidVersion: cid.version, onLeaf, onBlock })
  for await (const chunk of chunks) {
    dag.update(chunk)
    yield* made.splice(0)
  }
  dag.finish()
  yield* made.splice(0)
}

/** A file, cut as its DAG cuts it. */
export async function* chunksOfFile(path: string): AsyncGenerator<Uint8Array, void> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  for (let at = 0; at < size; at += chunkBytes) {
    yield await readExactly(file, at, Math.min(chunkBytes, size - at))
  }
}

/** A leaf of a file that lies there as it is. */
export async function readLeaf(
  path: string,
  version: Cid['version'],
  place: BlockPlace,
): Promise<Uint8Array> {
  return leafBytes(fileLeaf(await readPiece(path, place), version))
}

/** @throws with `ENOENT` when there is no such file */
export async function readPiece(path: string, { offset, length }: BlockPlace): Promise<Uint8Array> {
  await using file = await open(path, 'r')
  return readExactly(file, offset, length)
}
