import { utf8ToBytes } from '@noble/hashes/utils.js'
import { ContentAddressError } from './content-address-error.ts'
import { murmur3x64 } from './murmur3.ts'

/** murmur3-x64-64, the only hash that sharded directories use. */
export const hamtHashType = 0x22
/** Slots of a shard as Kubo makes them. */
export const hamtFanout = 256
const maxFanout = 1024
const hashBits = 64

/**
 * The slot of a name in a shard `level` levels below the top one (protocol 01 §2.3).
 *
 * @throws {ContentAddressError} `invalid_dag` when the hash has no bits left for that level
 */
export function hamtSlot(name: string, level: number, fanout = hamtFanout): number {
  const width = slotBits(fanout)
  const shift = hashBits - width * (level + 1)
  if (shift < 0) throw new ContentAddressError('invalid_dag', 'A sharded directory is deeper than its hash')
  return Number((murmur3x64(utf8ToBytes(name)) >> BigInt(shift)) & BigInt(fanout - 1))
}

/** The slot as it begins the names of links: upper-case hex of fixed width. */
export function slotPrefix(slot: number, fanout = hamtFanout): string {
  return slot.toString(16).toUpperCase().padStart(slotPrefixLength(fanout), '0')
}

export function slotPrefixLength(fanout: number): number {
  slotBits(fanout)
  return (fanout - 1).toString(16).length
}

/** @throws {ContentAddressError} `invalid_dag` when it is no power of two from 8 to 1024 */
function slotBits(fanout: number): number {
  const bits = Math.log2(fanout)
  if (Number.isInteger(bits) && bits >= 3 && fanout <= maxFanout) return bits
  throw new ContentAddressError('invalid_dag', `A sharded directory has ${fanout} slots`)
}
