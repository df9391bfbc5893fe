import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../errors/protocol-error.ts'
import { itemHash } from '../hash/item-hash.ts'
import { verifySignature } from '../identity/verify-signature.ts'
import { chainCodes } from './chains.ts'
import { messageTypes } from './envelope.ts'
import { parseEnvelope } from './parse-envelope.ts'

const item_content = '{"address":"0x1","time":1,"type":"t","content":null}'
const good = {
  sender: '0x1',
  chain: 'ETH',
  signature: '0x00',
  type: 'POST',
  item_type: 'inline',
  item_hash: itemHash(item_content),
  item_content,
  time: 1_780_000_000.5,
  channel: 'TEST',
}

describe('reading an envelope', () => {
  it('gives back every field and drops unknown ones', () => {
    expect(parseEnvelope({ ...good, confirmed: true, _id: 1 })).toEqual(good)
  })

  it('fills in what may be left out', () => {
    const { item_type: _, channel: __, signature: ___, ...short } = good
    expect(parseEnvelope(short)).toEqual({ ...good, channel: null, signature: null })
  })

  it.each([
    ['a'.repeat(64), 'storage'],
    ['QmX8K1c22WmQBAww5ShWQqwMiFif7XFrJD6iFBj7skQZXW', 'ipfs'],
  ])('without content, takes %s for %s', (hash, itemType) => {
    const { item_content: _, item_type: __, ...stored } = good
    expect(parseEnvelope({ ...stored, item_hash: hash })).toMatchObject({
      item_type: itemType,
      item_content: null,
    })
  })

  it('stores a Solana signature that came as an object in its text form', () => {
    const signature = { publicKey: 'p', signature: 's', extra: 1 }
    expect(parseEnvelope({ ...good, chain: 'SOL', signature }).signature).toBe(
      '{"signature":"s","publicKey":"p"}',
    )
    expect(() => parseEnvelope({ ...good, signature })).toThrow(/^signature: /)
  })

  it.each([
    ['not an object', null, /JSON object/],
    ['a list', [], /JSON object/],
    ['an unknown type', { ...good, type: 'post' }, /^type: /],
    ['no hash', { ...good, item_hash: undefined }, /^item_hash: field required/],
    ['an unknown chain', { ...good, chain: 'eth' }, /^chain: /],
    ['a chain that is a property of objects', { ...good, chain: 'constructor' }, /^chain: /],
    ['no sender', { ...good, sender: null }, /^sender: field required/],
    ['a number as sender', { ...good, sender: 1 }, /^sender: must be a string/],
    ['an endless sender', { ...good, sender: 'x'.repeat(513) }, /^sender: longer/],
    ['an endless channel', { ...good, channel: 'x'.repeat(513) }, /^channel: longer/],
    ['a NUL in the channel', { ...good, channel: 'a\0b' }, /^channel: contains a NUL/],
    ['half a character', { ...good, sender: '\ud800' }, /^sender: not valid Unicode/],
    ['time as text', { ...good, time: '1' }, /^time: /],
    ['no time', { ...good, time: undefined }, /^time: /],
    ['time beyond the year 9999', { ...good, time: 1e15 }, /^time: /],
    ['infinite time', { ...good, time: Number.POSITIVE_INFINITY }, /^time: /],
    ['another content', { ...good, item_content: '{}' }, /^item_hash: does not match/],
    ['content as an object', { ...good, item_content: {} }, /^item_content: must be a string/],
    ['inline without content', { ...good, item_content: null }, /^item_content: required/],
    ['too much content', { ...good, item_content: 'x'.repeat(200_001) }, /^item_content: longer/],
    ['content that should be elsewhere', { ...good, item_type: 'storage' }, /^item_content: must be absent/],
    ['an unknown item_type', { ...good, item_type: 'ipns' }, /^item_type: /],
    [
      'a hash of another kind',
      { ...good, item_type: 'ipfs', item_content: null },
      /^item_hash: not the shape/,
    ],
    ['a number as signature', { ...good, signature: 1 }, /^signature: /],
  ])('refuses %s, naming the field', (_, message, error) => {
    expect(() => parseEnvelope(message)).toThrow(error)
    expect(() => parseEnvelope(message)).toThrow(
      expect.objectContaining({ code: 'INVALID_FORMAT', errorCode: 0 }),
    )
  })

  it('answers any JSON with an envelope or a protocol error, and can judge its signature', () => {
    const field = <T>(values: readonly T[]) => fc.oneof(fc.constantFrom(...values), fc.jsonValue())
    const almost = fc.record(
      {
        sender: field(['0x1']),
        chain: field(chainCodes),
        signature: fc.oneof(fc.string(), fc.jsonValue(), fc.json()),
        type: field(messageTypes),
        item_type: field(['inline', 'storage', 'ipfs']),
        item_hash: field([good.item_hash, 'a'.repeat(64)]),
        item_content: field([item_content, null]),
        time: field([1]),
        channel: field(['TEST', null]),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(almost, fc.jsonValue()), (raw) => {
        try {
          expect(typeof verifySignature(parseEnvelope(raw))).toBe('boolean')
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('refuses a Solana signature whose version is too deep to be written as text', () => {
    const version = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000))
    const signature = { signature: 'a', publicKey: 'b', version }
    expect(() => parseEnvelope({ ...good, chain: 'SOL', signature })).toThrow(
      expect.objectContaining({ code: 'INVALID_FORMAT' }),
    )
  })
})
