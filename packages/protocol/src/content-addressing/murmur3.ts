const mask = (1n << 64n) - 1n
const c1 = 0x87c37b91114253d5n
const c2 = 0x4cf5ad432745937fn

/**
 * First 64 bits of MurmurHash3 x64 128, seed 0: the hash of names in sharded directories (protocol 01 §2.3). Big
 * integers are slow but exact, and directories are small; `@multiformats/murmur3` answers asynchronously.
 */
export function murmur3x64(bytes: Uint8Array): bigint {
  let h1 = 0n
  let h2 = 0n
  const tail = bytes.length - (bytes.length % 16)
  for (let at = 0; at < tail; at += 16) {
    h1 ^= mixK1(littleEndian(bytes, at, at + 8))
    h1 = (rotate(h1, 27n) + h2) & mask
    h1 = (h1 * 5n + 0x52dce729n) & mask
    h2 ^= mixK2(littleEndian(bytes, at + 8, at + 16))
    h2 = (rotate(h2, 31n) + h1) & mask
    h2 = (h2 * 5n + 0x38495ab5n) & mask
  }
  h2 ^= mixK2(littleEndian(bytes, tail + 8, bytes.length))
  h1 ^= mixK1(littleEndian(bytes, tail, Math.min(tail + 8, bytes.length)))
  const length = BigInt(bytes.length)
  h1 ^= length
  h2 ^= length
  h1 = (h1 + h2) & mask
  h2 = (h2 + h1) & mask
  return (finish(h1) + finish(h2)) & mask
}

function mixK1(k: bigint): bigint {
  return (rotate((k * c1) & mask, 31n) * c2) & mask
}

function mixK2(k: bigint): bigint {
  return (rotate((k * c2) & mask, 33n) * c1) & mask
}

function finish(h: bigint): bigint {
  let mixed = ((h ^ (h >> 33n)) * 0xff51afd7ed558ccdn) & mask
  mixed = ((mixed ^ (mixed >> 33n)) * 0xc4ceb9fe1a85ec53n) & mask
  return mixed ^ (mixed >> 33n)
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & mask
}

function littleEndian(bytes: Uint8Array, from: number, to: number): bigint {
  let value = 0n
  for (let at = to - 1; at >= from; at--) value = (value << 8n) | BigInt(bytes[at]!)
  return value
}
