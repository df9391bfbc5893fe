import { FileDag, parseCid } from '@aleph-ts/protocol'
import { expect, test } from 'vitest'
import {
  BitswapProtocolError,
  decodeMessage,
  emptyMessage,
  encodeMessage,
  keyOfSent,
  knownCid,
  maxExchangedBlockBytes,
  prefixOf,
} from './message.ts'

const cid = parseCid('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o')
const bytes = Buffer.from('0a120802120c68656c6c6f20776f726c640a180c', 'hex')
const want = { cid: cid.bytes, priority: 7, cancel: false, wantType: 'have', sendDontHave: true } as const

test('a message says the same after its way through bytes', () => {
  const message = {
    wants: [want, { ...want, cancel: true, wantType: 'block' as const, sendDontHave: false, priority: 0 }],
    full: true,
    blocks: [{ prefix: prefixOf(cid), bytes }],
    presences: [
      { cid: cid.bytes, has: true },
      { cid: cid.bytes, has: false },
    ],
  }
  const read = decodeMessage(encodeMessage(message))
  expect(read.wants.map((entry) => ({ ...entry, cid: Buffer.from(entry.cid) }))).toEqual(
    message.wants.map((entry) => ({ ...entry, cid: Buffer.from(entry.cid) })),
  )
  expect(read.full).toBe(true)
  expect(read.presences.map(({ has }) => has)).toEqual([true, false])
  expect(Buffer.from(read.blocks[0]!.bytes).equals(bytes)).toBe(true)
})

test('the bytes are those that IPFS nodes write', () => {
  const digest = Buffer.from(cid.bytes).toString('hex')
  expect(Buffer.from(encodeMessage({ ...emptyMessage(), wants: [want] })).toString('hex')).toBe(
    `0a2c0a2a0a22${digest}100720012801`,
  )
  const block = { prefix: prefixOf(cid), bytes: bytes.subarray(0, 2) }
  expect(Buffer.from(encodeMessage({ ...emptyMessage(), blocks: [block] })).toString('hex')).toBe(
    '1a0a0a0400701220' + '12020a12',
  )
  const absent = { cid: cid.bytes, has: false }
  expect(Buffer.from(encodeMessage({ ...emptyMessage(), presences: [absent] })).toString('hex')).toBe(
    `22260a22${digest}1001`,
  )
})

test('a block is known by its bytes alone, whatever it is said to be', () => {
  const leaf = new FileDag({ cidVersion: 1 }).update(bytes).finish().cid
  const key = Buffer.from(leaf.multihash.digest).toString('hex')
  expect(keyOfSent({ prefix: prefixOf(leaf), bytes })).toBe(key)
  expect(keyOfSent({ prefix: prefixOf(cid), bytes })).toBe(key)
  expect(keyOfSent({ prefix: Uint8Array.of(1, 0x55, 0x13, 64), bytes })).toBe(undefined)
  expect(keyOfSent({ prefix: new Uint8Array(), bytes })).toBe(undefined)
})

test('CIDs of kinds that cannot be here are no errors', () => {
  expect(knownCid(cid.bytes)?.equals(cid)).toBe(true)
  expect(knownCid(Uint8Array.of(1, 0x71, 0x12, 1, 0))).toBe(undefined)
  expect(knownCid(Uint8Array.of(...cid.bytes, 0))).toBe(undefined)
  expect(knownCid(new Uint8Array())).toBe(undefined)
})

for (const [what, broken] of Object.entries({
  'ends too early': Buffer.from('0aff01', 'hex'),
  'is noise': Buffer.alloc(100, 0xff),
  'has a group': Buffer.from('0b0c', 'hex'),
  'has too many parts': Buffer.from('1a00'.repeat(5000), 'hex'),
  'has too many wants': Buffer.concat([
    Buffer.from('0af8a905', 'hex'),
    ...Array<Buffer>(5000).fill(Buffer.from('0a030a0155', 'hex')),
  ]),
  'has too large a block': encodeMessage({
    ...emptyMessage(),
    blocks: [{ prefix: new Uint8Array(), bytes: Buffer.alloc(maxExchangedBlockBytes + 1) }],
  }),
})) {
  test(`a message that ${what} is refused`, () => {
    expect(() => decodeMessage(broken)).toThrow(BitswapProtocolError)
  })
}
