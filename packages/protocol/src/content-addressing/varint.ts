/** Largest unsigned LEB128 that 64 bits need, bytes. */
export const maxVarintLength = 10

/** An unsigned LEB128 number, as protobuf and CAR write them. */
export function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) | 128)
  }
}

/**
 * The number that begins at `at`, and its length in bytes; `null` when the bytes end before it does.
 *
 * @throws {RangeError} for more than 10 bytes, or a number that a JavaScript number cannot hold exactly
 */
export function decodeVarint(bytes: Uint8Array, at = 0): { value: number; length: number } | null {
  let value = 0
  for (let length = 1; length <= maxVarintLength; length++) {
    const byte = bytes[at + length - 1]
    if (byte === undefined) return null
    value += (byte & 127) * 2 ** (7 * (length - 1))
    if (byte >= 128) continue
    if (!Number.isSafeInteger(value)) break
    return { value, length }
  }
  throw new RangeError('a varint is larger than 2^53')
}
