import { describe, expect, it } from 'vitest'
import { itemHash } from '../hash/item-hash.ts'
import { canonicalForm } from './canonical-form.ts'
import type { Envelope } from './envelope.ts'
import { messageLimits } from './limits.ts'

function apart(text: string): Envelope {
  return {
    sender: '0x1',
    chain: 'ETH',
    signature: '0x00',
    type: 'POST',
    item_type: 'storage',
    item_hash: itemHash(text),
    item_content: null,
    time: 1_780_000_000.5,
    channel: 'TEST',
  }
}

function post(fields: Record<string, unknown>): string {
  return JSON.stringify({ address: '0x1', time: 1, type: 't', content: null, ...fields })
}

describe('the form in which a message is kept', () => {
  it('is inline for a content that could have come inline', () => {
    const text = post({})
    const message = apart(text)
    const inline = { ...message, item_type: 'inline', item_content: text }
    expect(canonicalForm(message, text)).toEqual(inline)
    expect(canonicalForm(inline as Envelope, text)).toEqual(inline)
  })

  it.each([
    ['is too long', post({ ref: '', content: 'x'.repeat(messageLimits.inlineCharacters) })],
    ['lacks what only fetched ones may lack', JSON.stringify({ type: 't', content: null })],
    ['breaks the rules of its type', JSON.stringify({ address: '0x1', time: 1 })],
    ['is not JSON', 'hello'],
  ])('stays apart for a content that %s', (_, text) => {
    expect(canonicalForm(apart(text), text)).toEqual(apart(text))
  })

  it('stays apart when the hash is not that of the text, as for bytes that begin with a byte order mark', () => {
    const message = apart(`\ufeff${post({})}`)
    expect(canonicalForm(message, post({}))).toBe(message)
  })

  it('stays apart when a CID names the content', () => {
    const cid = 'QmX8K1c22WmQBAww5ShWQqwMiFif7XFrJD6iFBj7skQZXW'
    const message: Envelope = { ...apart(post({})), item_type: 'ipfs', item_hash: cid }
    expect(canonicalForm(message, post({}))).toBe(message)
  })
})
