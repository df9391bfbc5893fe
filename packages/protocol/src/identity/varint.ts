import { concatBytes } from '@noble/hashes/utils.js'

/** Bytes with their length before them as Bitcoin writes it: 1 byte, or `fd` and 2, or `fe` and 4, little-endian. */
export function withVarintLength(bytes: Uint8Array): Uint8Array {
  return concatBytes(varint(bytes.length), bytes)
}

function varint(value: number): Uint8Array {
  if (value < 0xfd) return Uint8Array.of(value)
  const encoded = new DataView(new ArrayBuffer(value <= 0xffff ? 3 : 5))
  encoded.setUint8(0, value <= 0xffff ? 0xfd : 0xfe)
  if (value <= 0xffff) encoded.setUint16(1, value, true)
  else encoded.setUint32(1, value, true)
  return new Uint8Array(encoded.buffer)
}
