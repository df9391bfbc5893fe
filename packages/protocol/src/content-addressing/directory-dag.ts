import { utf8ToBytes } from '@noble/hashes/utils.js'
import type { CidVersion } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import { checkEntryName } from './entry-name.ts'
import { type Block, type BuiltNode, dagPbNode } from './file-dag.ts'
import { hamtFanout, hamtHashType, hamtSlot, slotPrefix } from './hamt.ts'
import { encodeUnixFs, unixFsTypes } from './unixfs-data.ts'

/** From this many bytes of names and CIDs on, a directory is sharded (protocol 01 §2.3). */
const shardingThreshold = 262_144

export interface DirectoryEntry {
  name: string
  node: BuiltNode
}

export interface DirectoryDagOptions {
  /** @default 0 */
  cidVersion?: CidVersion
  /** Takes every block of the directory itself, children before parents. */
  onBlock?: (block: Block) => void
}

/**
 * The node of a directory with these entries, in any order; large ones become a HAMT (protocol 01 §2.3).
 *
 * @throws {ContentAddressError} `invalid_path` for a name twice, or one that is no name
 */
export function directoryDag(
  entries: readonly DirectoryEntry[],
  options: DirectoryDagOptions = {},
): BuiltNode {
  const named = entries.map(({ name, node }) => ({ name, node, bytes: utf8ToBytes(name) }))
  const names = new Set<string>()
  for (const { name } of named) {
    checkEntryName(name)
    if (names.has(name))
      throw new ContentAddressError('invalid_path', `${JSON.stringify(name)} is there twice`)
    names.add(name)
  }
  const weight = named.reduce((sum, { bytes, node }) => sum + bytes.length + node.cid.bytes.length, 0)
  if (weight >= shardingThreshold) return shard(entries, 0, options)
  named.sort((a, b) => compareBytes(a.bytes, b.bytes))
  return emit(encodeUnixFs({ type: unixFsTypes.directory }), named, options)
}

function shard(entries: readonly DirectoryEntry[], level: number, options: DirectoryDagOptions): BuiltNode {
  const slots: DirectoryEntry[][] = Array.from({ length: hamtFanout }, () => [])
  for (const entry of entries) slots[hamtSlot(entry.name, level)]!.push(entry)
  const links: DirectoryEntry[] = []
  const bitfield = new Uint8Array(hamtFanout / 8)
  for (const [slot, inside] of slots.entries()) {
    if (inside.length === 0) continue
    bitfield[bitfield.length - 1 - (slot >> 3)]! |= 1 << (slot & 7)
    const prefix = slotPrefix(slot)
    const [only] = inside
    if (inside.length === 1) links.push({ name: prefix + only!.name, node: only!.node })
    else links.push({ name: prefix, node: shard(inside, level + 1, options) })
  }
  const firstSet = bitfield.findIndex((byte) => byte !== 0)
  const data = encodeUnixFs({
    type: unixFsTypes.shard,
    data: bitfield.subarray(firstSet),
    hashType: hamtHashType,
    fanout: hamtFanout,
  })
  return emit(data, links, options)
}

function emit(
  data: Uint8Array,
  links: DirectoryEntry[],
  { cidVersion = 0, onBlock }: DirectoryDagOptions,
): BuiltNode {
  const { block, node } = dagPbNode(data, links, cidVersion)
  onBlock?.(block)
  return node
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    if (a[at] !== b[at]) return a[at]! - b[at]!
  }
  return a.length - b.length
}
