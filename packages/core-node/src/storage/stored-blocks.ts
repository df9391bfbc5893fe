import { open } from 'node:fs/promises'
import { type Block, type Cid, chunkBytes, FileDag, fileLeaf } from '@aleph-ts/protocol'
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
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<StoredBlock, void> {
  const made: StoredBlock[] = []
  let size = 0
  let leaves = 0
  const onBlock = (block: Block, isLeaf: boolean): void => {
    const { digest } = block.cid.multihash
    if (!isLeaf) {
      made.push({ digest, place: { offset: 0, length: block.bytes.length }, bytes: block.bytes })
      return
    }
    const offset = chunkBytes * leaves++
    made.push({ digest, place: { offset, length: Math.min(chunkBytes, size - offset) } })
  }
  const dag = new FileDag({ cidVersion: cid.version, onBlock })
  for await (const chunk of bytes) {
    size += chunk.length
    dag.update(chunk)
    yield* made.splice(0)
  }
  dag.finish()
  yield* made.splice(0)
}

/** A leaf of a file that lies there as it is. */
export async function readLeaf(
  path: string,
  version: Cid['version'],
  place: BlockPlace,
): Promise<Uint8Array> {
  return fileLeaf(await readPiece(path, place), version).bytes
}

/** @throws with `ENOENT` when there is no such file */
export async function readPiece(path: string, { offset, length }: BlockPlace): Promise<Uint8Array> {
  await using file = await open(path, 'r')
  return readExactly(file, offset, length)
}
