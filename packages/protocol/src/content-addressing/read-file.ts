import type { Cid } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import { type GetBlock, loadNode } from './get-block.ts'
import { maxDagDepth } from './verify-dag.ts'

/** Bytes of a file: from `start` up to and with `end`, as in HTTP ranges. */
export interface ByteRange {
  /** @default 0 */
  start?: number
  /** @default the last byte */
  end?: number
}

/**
 * The bytes of a file, or of a range of it, block by block; blocks outside the range are not asked for.
 *
 * @throws {ContentAddressError} `not_a_file`, `missing_block`, `invalid_dag`
 */
export function readUnixFsFile(
  cid: Cid,
  getBlock: GetBlock,
  { start = 0, end = Number.MAX_SAFE_INTEGER }: ByteRange = {},
): AsyncGenerator<Uint8Array, void> {
  return readNode(
    { cid, size: undefined, start, stop: Math.min(end, Number.MAX_SAFE_INTEGER - 1) + 1 },
    0,
    getBlock,
  )
}

interface Part {
  cid: Cid
  /** What the parent says; unknown for the root. */
  size: number | undefined
  /** The wanted bytes, counted from the part's first one; `stop` is not among them. */
  start: number
  stop: number
}

async function* readNode(part: Part, depth: number, getBlock: GetBlock): AsyncGenerator<Uint8Array, void> {
  const { cid, start, stop } = part
  if (depth > maxDagDepth)
    throw new ContentAddressError('invalid_dag', `Block ${cid} is too deep in its file`)
  const node = await loadNode(cid, getBlock)
  if (node.kind !== 'file')
    throw new ContentAddressError('not_a_file', `${cid} is a ${node.kind}, not a file`)
  if (part.size !== undefined && part.size !== node.size) {
    throw new ContentAddressError('invalid_dag', `Block ${cid} has other bytes than its parent says`)
  }
  const own = node.data.subarray(Math.min(start, node.data.length), Math.min(stop, node.data.length))
  if (own.length > 0) yield own
  let at = node.data.length
  for (const { cid: child, size } of node.parts) {
    if (at + size > start && at < stop) {
      yield* readNode(
        { cid: child, size, start: Math.max(0, start - at), stop: stop - at },
        depth + 1,
        getBlock,
      )
    }
    at += size
  }
}
