import { sipHash13 } from './siphash.ts'

const ascii = new TextEncoder()

/**
 * The gossipsub message id of a payload (protocol 04 §2.4): SipHash-1-3 with a zero key over the length (64-bit
 * little-endian) and the data, written as the ASCII decimal of the unsigned 64-bit result.
 */
export function gossipMessageId(data: Uint8Array): Uint8Array {
  const input = new Uint8Array(8 + data.length)
  new DataView(input.buffer).setBigUint64(0, BigInt(data.length), true)
  input.set(data, 8)
  return ascii.encode(sipHash13(input).toString())
}
