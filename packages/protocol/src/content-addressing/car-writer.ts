import { encode } from '@ipld/dag-cbor'
import { concatBytes } from '@noble/hashes/utils.js'
import type { Cid } from './cid.ts'
import type { Block } from './file-dag.ts'
import { type GetBlock, loadBlock } from './get-block.ts'
import { decodeUnixFsNode, linksOf } from './unixfs-node.ts'
import { encodeVarint } from './varint.ts'

/** The beginning of a CARv1 (protocol 04 §9.3). */
export function carHeader(roots: readonly Cid[]): Uint8Array {
  const header = encode({ roots, version: 1 })
  return concatBytes(encodeVarint(header.length), header)
}

/** What stands before the bytes of a block in a CAR: the length of CID and bytes, then the CID. */
export function carFramePrefix(cid: Cid, blockLength: number): Uint8Array {
  return concatBytes(encodeVarint(cid.bytes.length + blockLength), cid.bytes)
}

/**
 * A DAG as a CAR: header, then every block once, each before those it links to, in the order of the file's bytes.
 *
 * @throws {ContentAddressError} `missing_block`, `invalid_dag`, `unsupported_cid`
 */
export async function* writeCar(root: Cid, getBlock: GetBlock): AsyncGenerator<Uint8Array, void> {
  yield carHeader([root])
  for await (const { cid, bytes } of walkDag(root, getBlock)) {
    yield carFramePrefix(cid, bytes.length)
    yield bytes
  }
}

/** Every block of a DAG once, the root first, depth first. Blocks inside their CID are left out. */
export async function* walkDag(root: Cid, getBlock: GetBlock): AsyncGenerator<Block, void> {
  const seen = new Set<string>()
  const ahead: Cid[] = [root]
  for (let cid = ahead.pop(); cid !== undefined; cid = ahead.pop()) {
    const key = cid.toString()
    if (seen.has(key)) continue
    seen.add(key)
    const bytes = await loadBlock(cid, getBlock)
    if (cid.multihash.code !== 0) yield { cid, bytes }
    for (const link of linksOf(decodeUnixFsNode(cid, bytes)).reverse()) ahead.push(link.cid)
  }
}
