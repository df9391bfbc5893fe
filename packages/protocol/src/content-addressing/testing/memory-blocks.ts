import { decode, type PBLink } from '@ipld/dag-pb'
import type { Cid, CidVersion } from '../cid.ts'
import { type Block, type BuiltNode, dagPbNode, FileDag } from '../file-dag.ts'
import { TreeDag } from '../tree-dag.ts'
import { encodeUnixFs, unixFsTypes } from '../unixfs-data.ts'

/** Blocks in memory, for tests. */
export class MemoryBlocks {
  readonly #blocks = new Map<string, Uint8Array>()

  readonly get = (cid: Cid): Uint8Array | undefined => this.#blocks.get(cid.toString())

  readonly add = ({ cid, bytes }: Block): void => {
    this.#blocks.set(cid.toString(), bytes.slice())
  }

  delete(cid: Cid): void {
    this.#blocks.delete(cid.toString())
  }

  /** A node of a file that claims whatever its parts say. */
  fileNode(parts: BuiltNode[]): Cid {
    const blockSizes = parts.map(({ size }) => size)
    const fileSize = blockSizes.reduce((sum, size) => sum + size, 0)
    const data = encodeUnixFs({ type: unixFsTypes.file, fileSize, blockSizes })
    const { block } = dagPbNode(
      data,
      parts.map((node) => ({ name: '', node })),
      1,
    )
    this.add(block)
    return block.cid
  }
}

export function dagOf(bytes: Uint8Array, cidVersion: CidVersion, blocks: MemoryBlocks): BuiltNode {
  return new FileDag({ cidVersion, onBlock: blocks.add }).update(bytes).finish()
}

export function treeOf(
  files: Record<string, string>,
  cidVersion: CidVersion,
  blocks: MemoryBlocks,
): BuiltNode {
  const tree = new TreeDag({ cidVersion, onBlock: blocks.add })
  for (const [path, text] of Object.entries(files)) {
    tree.add(path, dagOf(new TextEncoder().encode(text), cidVersion, blocks))
  }
  return tree.finish()
}

export function links(bytes: Uint8Array): PBLink[] {
  return decode(bytes).Links
}
