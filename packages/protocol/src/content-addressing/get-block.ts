import { type Cid, inlineBlock } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import { decodeUnixFsNode, type UnixFsNode } from './unixfs-node.ts'

/** Where blocks come from: whoever gives it has verified their hashes. Undefined when a block is not there. */
export type GetBlock = (cid: Cid) => Uint8Array | undefined | Promise<Uint8Array | undefined>

/** @throws {ContentAddressError} `missing_block` */
export async function loadBlock(cid: Cid, getBlock: GetBlock): Promise<Uint8Array> {
  const bytes = inlineBlock(cid) ?? (await getBlock(cid))
  if (bytes) return bytes
  throw new ContentAddressError('missing_block', `Block ${cid} is not there`)
}

/** @throws {ContentAddressError} `missing_block`, `invalid_dag`, `unsupported_cid` */
export async function loadNode(cid: Cid, getBlock: GetBlock): Promise<UnixFsNode> {
  return decodeUnixFsNode(cid, await loadBlock(cid, getBlock))
}
