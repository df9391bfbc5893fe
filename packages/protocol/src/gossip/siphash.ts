/**
 * SipHash-1-3 with a zero key, as an unsigned 64-bit integer.
 *
 * The four 64-bit lanes are kept as pairs of 32-bit halves: BigInt arithmetic is some thirty times slower, and
 * this runs once per gossip message.
 */
export function sipHash13(data: Uint8Array): bigint {
  const lanes = new Int32Array(initial)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const whole = data.length - (data.length % 8)
  for (let at = 0; at < whole; at += 8) absorb(lanes, view.getInt32(at, true), view.getInt32(at + 4, true))

  const last = new Uint8Array(8)
  last.set(data.subarray(whole))
  last[7] = data.length & 0xff
  const tail = new DataView(last.buffer)
  absorb(lanes, tail.getInt32(0, true), tail.getInt32(4, true))

  lanes[4]! ^= 0xff
  for (let i = 0; i < 3; i++) round(lanes)
  const low = lanes[0]! ^ lanes[2]! ^ lanes[4]! ^ lanes[6]!
  const high = lanes[1]! ^ lanes[3]! ^ lanes[5]! ^ lanes[7]!
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

/** "somepseudorandomlygeneratedbytes", each lane as its low half then its high half. */
const initial = [
  0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462,
]

function absorb(lanes: Int32Array, low: number, high: number): void {
  lanes[6]! ^= low
  lanes[7]! ^= high
  round(lanes)
  lanes[0]! ^= low
  lanes[1]! ^= high
}

function round(v: Int32Array): void {
  add(v, 0, 2)
  rotateLeft(v, 2, 13)
  xor(v, 2, 0)
  swapHalves(v, 0)
  add(v, 4, 6)
  rotateLeft(v, 6, 16)
  xor(v, 6, 4)
  add(v, 0, 6)
  rotateLeft(v, 6, 21)
  xor(v, 6, 0)
  add(v, 4, 2)
  rotateLeft(v, 2, 17)
  xor(v, 2, 4)
  swapHalves(v, 4)
}

function add(v: Int32Array, to: number, from: number): void {
  const low = (v[to]! >>> 0) + (v[from]! >>> 0)
  v[to + 1]! += v[from + 1]! + (low > 0xffffffff ? 1 : 0)
  v[to] = low
}

function xor(v: Int32Array, to: number, from: number): void {
  v[to]! ^= v[from]!
  v[to + 1]! ^= v[from + 1]!
}

function rotateLeft(v: Int32Array, lane: number, bits: number): void {
  const low = v[lane]!
  const high = v[lane + 1]!
  v[lane] = (low << bits) | (high >>> (32 - bits))
  v[lane + 1] = (high << bits) | (low >>> (32 - bits))
}

function swapHalves(v: Int32Array, lane: number): void {
  const low = v[lane]!
  v[lane] = v[lane + 1]!
  v[lane + 1] = low
}
