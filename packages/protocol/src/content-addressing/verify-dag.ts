import type { Cid } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import { mostBlockBytes } from './dag-size.ts'
import { type GetBlock, loadBlock } from './get-block.ts'
import { decodeUnixFsNode, linksOf, type UnixFsNode } from './unixfs-node.ts'

/** Blocks from the root of a DAG to its deepest leaf. */
export const maxDagDepth = 256

/** What a whole DAG is. */
export interface DagSummary {
  kind: UnixFsNode['kind']
  /** Bytes of the file; 0 for directories. */
  size: number
  /**
   * Bytes of all blocks: what the root says of itself and its links, as Kubo's `CumulativeSize`, but never less than
   * the blocks that are really there.
   */
  dagSize: number
  /** Different blocks. */
  blocks: number
}

export interface VerifyDagOptions {
  /** Most different blocks. @default 1,000,000 */
  maxBlocks?: number
}

interface Verified {
  kind: UnixFsNode['kind']
  size: number
  /** Blocks down to the deepest leaf, this one included. */
  height: number
}

/**
 * Checks a DAG from its root down to every leaf: all blocks are there, are UnixFS, and the sizes that nodes claim are
 * those of what is below them; a file's blocks hold little else than the file. Every node of the network judges a DAG alike. Hashes are for `getBlock` to check.
 *
 * @throws {ContentAddressError} `missing_block`, `invalid_dag`, `unsupported_cid`, `too_large`
 */
export async function verifyDag(
  root: Cid,
  getBlock: GetBlock,
  { maxBlocks = 1_000_000 }: VerifyDagOptions = {},
): Promise<DagSummary> {
  const verified = new Map<string, Verified>()
  let blocks = 0
  let bytes = 0
  let declared = 0

  async function visit(cid: Cid, depth: number): Promise<Verified> {
    const key = cid.toString()
    const known = verified.get(key)
    if (depth + (known?.height ?? 1) > maxDagDepth) {
      throw new ContentAddressError('invalid_dag', `The DAG is deeper than ${maxDagDepth} blocks`)
    }
    if (known) return known
    if (++blocks > maxBlocks) {
      throw new ContentAddressError('too_large', `The DAG has more than ${maxBlocks} blocks`)
    }
    const block = await loadBlock(cid, getBlock)
    const node = decodeUnixFsNode(cid, block)
    bytes += block.length
    if (depth === 0) declared = linksOf(node).reduce((sum, link) => sum + link.dagSize, block.length)
    let height = 0
    const size = node.kind === 'file' ? node.size : 0
    const result: Verified = { kind: node.kind, size, height: 1 }
    for (const [index, { cid: child }] of linksOf(node).entries()) {
      const below = await visit(child, depth + 1)
      height = Math.max(height, below.height)
      checkChild(cid, node, index, below)
    }
    result.height = height + 1
    verified.set(key, result)
    return result
  }

  const { kind, size } = await visit(root, 0)
  if (kind === 'file' && bytes > mostBlockBytes(size)) {
    throw new ContentAddressError('invalid_dag', `A file of ${size} bytes has blocks of ${bytes} bytes`)
  }
  return { kind, size, dagSize: Math.max(declared, bytes), blocks }
}

function checkChild(cid: Cid, node: UnixFsNode, index: number, child: Verified): void {
  if (node.kind !== 'file') return
  const claimed = node.parts[index]!.size
  if (child.kind === 'file' && child.size === claimed) return
  throw new ContentAddressError(
    'invalid_dag',
    `Block ${cid} says that part ${index} has ${claimed} bytes; it is a ${child.kind} of ${child.size}`,
  )
}
