import type { Cid } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import { decodeUnixFsNode, linksOf } from './unixfs-node.ts'

/** What the root of a DAG says of it. */
export interface ClaimedSize {
  kind: 'file' | 'directory'
  /** Bytes of the file; of a directory, those of all its blocks. */
  size: number
}

/**
 * What a DAG's root says that the DAG is: of a file just what `verifyDag` finds or refuses it for, of a directory no
 * more than that.
 *
 * @throws {ContentAddressError} `invalid_dag`, `unsupported_cid`; `not_a_file` for a symbolic link
 */
export function claimedSize(root: Cid, block: Uint8Array): ClaimedSize {
  const node = decodeUnixFsNode(root, block)
  if (node.kind === 'symlink') throw new ContentAddressError('not_a_file', `${root} is a symbolic link`)
  if (node.kind === 'file') return { kind: 'file', size: node.size }
  return { kind: 'directory', size: linksOf(node).reduce((sum, link) => sum + link.dagSize, block.length) }
}

/**
 * Most bytes that the blocks of a file may have: a file is paid for by its own bytes, so blocks must not hold much
 * else. Enough for chunks of some 30 bytes.
 */
export function mostBlockBytes(fileSize: number): number {
  return 4 * fileSize + 1024 * 1024
}
