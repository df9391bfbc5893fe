import { decode, type PBNode } from '@ipld/dag-pb'
import { type Cid, checkSupported, rawCodec } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import { decodeUnixFs, unixFsTypes } from './unixfs-data.ts'

export interface UnixFsLink {
  cid: Cid
  name: string
  /** Bytes of the blocks below, as the parent says. */
  dagSize: number
}

/** A block, understood. */
export type UnixFsNode =
  | {
      kind: 'file'
      /** Bytes of the file in this very block; they come before those of the parts. */
      data: Uint8Array
      /** Bytes of the file below each link. */
      parts: (UnixFsLink & { size: number })[]
      size: number
    }
  | { kind: 'directory'; links: UnixFsLink[] }
  | { kind: 'shard'; links: UnixFsLink[]; fanout: number; hashType: number }
  | { kind: 'symlink'; target: Uint8Array }

/**
 * What a block says. Its hash is not checked here, nor what it says about others.
 *
 * @throws {ContentAddressError} `invalid_dag`, `unsupported_cid` for a link to other data than UnixFS
 */
export function decodeUnixFsNode(cid: Cid, bytes: Uint8Array): UnixFsNode {
  if (cid.code === rawCodec) return { kind: 'file', data: bytes, parts: [], size: bytes.length }
  const { Data, Links } = decodeDagPb(cid, bytes)
  if (!Data) throw new ContentAddressError('invalid_dag', `Block ${cid} is no UnixFS: it has no data`)
  const unixFs = decodeUnixFs(Data)
  const links = Links.map((link): UnixFsLink => {
    checkSupported(link.Hash)
    return { cid: link.Hash, name: link.Name ?? '', dagSize: link.Tsize ?? 0 }
  })
  switch (unixFs.type) {
    case unixFsTypes.file:
    case unixFsTypes.raw: {
      if (unixFs.blockSizes.length !== links.length) {
        throw new ContentAddressError(
          'invalid_dag',
          `Block ${cid} has ${links.length} links and ${unixFs.blockSizes.length} sizes of them`,
        )
      }
      const parts = links.map((link, index) => ({ ...link, size: unixFs.blockSizes[index]! }))
      const data = unixFs.data ?? new Uint8Array()
      const size = parts.reduce((sum, part) => sum + part.size, data.length)
      if (!Number.isSafeInteger(size) || (unixFs.fileSize !== undefined && unixFs.fileSize !== size)) {
        throw new ContentAddressError(
          'invalid_dag',
          `Block ${cid} says its file has ${unixFs.fileSize} bytes`,
        )
      }
      return { kind: 'file', data, parts, size }
    }
    case unixFsTypes.directory:
      return { kind: 'directory', links }
    case unixFsTypes.shard:
      return { kind: 'shard', links, fanout: unixFs.fanout ?? 0, hashType: unixFs.hashType ?? 0 }
    case unixFsTypes.symlink:
      return { kind: 'symlink', target: unixFs.data ?? new Uint8Array() }
    default:
      throw new ContentAddressError('invalid_dag', `Block ${cid} has UnixFS type ${unixFs.type}`)
  }
}

/** The links of any block, in their order. */
export function linksOf(node: UnixFsNode): UnixFsLink[] {
  if (node.kind === 'file') return node.parts
  return node.kind === 'symlink' ? [] : node.links
}

function decodeDagPb(cid: Cid, bytes: Uint8Array): PBNode {
  try {
    return decode(bytes)
  } catch (error) {
    throw new ContentAddressError('invalid_dag', `Block ${cid} is no dag-pb: ${(error as Error).message}`)
  }
}
