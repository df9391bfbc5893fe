import { hexToBytes } from '@noble/hashes/utils.js'

/** The y coordinates, little-endian, of the points whose order divides 8. */
const smallOrderY = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  // 0 and 1 again, written as p and p + 1.
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(hexToBytes)

/** Whether an encoded point, of either sign, has small order: such a "key" would sign everything. */
export function isSmallOrderPoint(encoded: Uint8Array): boolean {
  return smallOrderY.some((y) => sameY(y, encoded))
}

function sameY(y: Uint8Array, encoded: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) {
    if (y[i] !== encoded[i]) return false
  }
  return y[31] === (encoded[31]! & 0x7f)
}

/** Whether y is below the field's prime 2^255 − 19, so that the point has only this one encoding. */
export function isCanonicalPoint(encoded: Uint8Array): boolean {
  if ((encoded[31]! & 0x7f) !== 0x7f) return true
  for (let i = 30; i > 0; i--) {
    if (encoded[i] !== 0xff) return true
  }
  return encoded[0]! < 0xed
}
