import type { Envelope } from '@aleph-ts/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodePayload, encodePayload, fitsGossip } from './payload.ts'

function envelopeWith(item_content: string): Envelope {
  return {
    sender: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    chain: 'ETH',
    signature: '0x00',
    type: 'POST',
    item_type: 'inline',
    item_hash: '0'.repeat(64),
    item_content,
    time: 1.5,
    channel: null,
  }
}

test('a message travels as compact JSON with sorted keys and without absent fields', () => {
  const text = new TextDecoder().decode(encodePayload(envelopeWith('{}')))
  expect(text).toBe(
    '{"chain":"ETH","item_content":"{}","item_hash":"0000000000000000000000000000000000000000000000000000000000000000",' +
      '"item_type":"inline","sender":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8","signature":"0x00","time":1.5,"type":"POST"}',
  )
})

test('any content arrives unchanged, also at nodes that percent-decode first', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('%41', '\\%41', '100%25', '%', '%%%zz', '\\u0025'),
  )
  fc.assert(
    fc.property(text, text, (a, b) => {
      const bytes = encodePayload(envelopeWith(a + b))
      const decoded = new TextDecoder().decode(bytes).replace(/%[0-9a-fA-F]{2}/g, decodeURIComponent)
      expect((decodePayload(bytes) as Envelope).item_content).toBe((a + b).toWellFormed())
      expect((JSON.parse(decoded) as Envelope).item_content).toBe((a + b).toWellFormed())
    }),
  )
})

test('a payload that an old client percent-encoded is understood', () => {
  const encoded = new TextEncoder().encode(encodeURIComponent('{"a":"b c"}'))
  expect(decodePayload(encoded)).toEqual({ a: 'b c' })
})

test('content within the limit of characters that grows beyond a frame as bytes is recognised', () => {
  expect(fitsGossip(envelopeWith('x'.repeat(200_000)))).toBe(true)
  expect(fitsGossip(envelopeWith('"'.repeat(200_000)))).toBe(false)
  expect(fitsGossip(envelopeWith('é'.repeat(200_000)))).toBe(false)
})
