import { concatBytes } from '@noble/hashes/utils.js'
import { ContentAddressError } from './content-address-error.ts'
import { decodeVarint, encodeVarint } from './varint.ts'

export const unixFsTypes = { raw: 0, directory: 1, file: 2, metadata: 3, symlink: 4, shard: 5 } as const

/** The `Data` of a dag-pb node of UnixFS (protocol 01 §2.3). */
export interface UnixFsData {
  type: number
  data?: Uint8Array
  /** Bytes of the file below this node. */
  fileSize?: number
  /** Bytes of the file below each link. */
  blockSizes: number[]
  hashType?: number
  fanout?: number
}

const fields = { type: 1, data: 2, fileSize: 3, blockSizes: 4, hashType: 5, fanout: 6 } as const
const varintWire = 0
const bytesWire = 2

/*
 * Written and read here rather than by `ipfs-unixfs`: six fields are less code than its protobuf runtime, which would
 * also take part in every browser bundle.
 */

/** As Kubo encodes it: ascending fields, block sizes not packed, absent fields left out. */
export function encodeUnixFs(node: Partial<UnixFsData> & { type: number }): Uint8Array {
  const parts: Uint8Array[] = []
  const number = (field: number, value: number | undefined) => {
    if (value !== undefined) parts.push(Uint8Array.of((field << 3) | varintWire), encodeVarint(value))
  }
  number(fields.type, node.type)
  if (node.data?.length) {
    parts.push(Uint8Array.of((fields.data << 3) | bytesWire), encodeVarint(node.data.length), node.data)
  }
  number(fields.fileSize, node.fileSize)
  for (const size of node.blockSizes ?? []) number(fields.blockSizes, size)
  number(fields.hashType, node.hashType)
  number(fields.fanout, node.fanout)
  return concatBytes(...parts)
}

/**
 * Fields it does not know (mode, mtime) are skipped.
 *
 * @throws {ContentAddressError} `invalid_dag`
 */
export function decodeUnixFs(bytes: Uint8Array): UnixFsData {
  const node: UnixFsData = { type: -1, blockSizes: [] }
  let at = 0
  const varint = (): number => {
    const read = readVarint(bytes, at)
    at += read.length
    return read.value
  }
  while (at < bytes.length) {
    const key = varint()
    const field = Math.floor(key / 8)
    const wire = key % 8
    if (wire === varintWire) {
      const value = varint()
      if (field === fields.type) node.type = value
      else if (field === fields.fileSize) node.fileSize = value
      else if (field === fields.blockSizes) node.blockSizes.push(value)
      else if (field === fields.hashType) node.hashType = value
      else if (field === fields.fanout) node.fanout = value
    } else if (wire === bytesWire) {
      const length = varint()
      if (at + length > bytes.length) throw invalid('it ends too early')
      const value = bytes.subarray(at, at + length)
      at += length
      if (field === fields.data) node.data = value
      else if (field === fields.blockSizes) node.blockSizes = node.blockSizes.concat(packed(value))
    } else if (wire === 5 && at + 4 <= bytes.length) {
      // The nanoseconds of a modification time.
      at += 4
    } else {
      throw invalid(`unknown wire type ${wire}`)
    }
  }
  if (node.type === -1) throw invalid('it has no type')
  return node
}

function packed(bytes: Uint8Array): number[] {
  const values: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const { value, length } = readVarint(bytes, at)
    values.push(value)
    at += length
  }
  return values
}

function readVarint(bytes: Uint8Array, at: number): { value: number; length: number } {
  try {
    const read = decodeVarint(bytes, at)
    if (read) return read
  } catch (error) {
    throw invalid((error as Error).message)
  }
  throw invalid('it ends too early')
}

function invalid(reason: string): ContentAddressError {
  return new ContentAddressError('invalid_dag', `A node's UnixFS data cannot be read: ${reason}`)
}
