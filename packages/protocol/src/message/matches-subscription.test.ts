import { expect, test } from 'vitest'
import { matchesSubscription } from './matches-subscription.ts'

const message = {
  type: 'POST',
  sender: '0xabc',
  channel: null,
  content: { type: 'chat', content: { room: 'tea', tags: ['a'], size: 2 } },
}

test.each([
  ['no keys', {}],
  ['an attribute', { type: 'POST' }],
  ['several attributes', { type: 'POST', sender: '0xabc' }],
  ['a part of the content', { content: { type: 'chat' } }],
  ['a deep part of the content', { content: { content: { room: 'tea', size: 2 } } }],
  ['nothing where there is nothing', { channel: null }],
])('a subscription to %s is matched by a message that has it', (_what, subscription) => {
  expect(matchesSubscription(subscription, message)).toBe(true)
})

test.each([
  ['another value', { type: 'STORE' }],
  ['one right and one wrong value', { type: 'POST', sender: '0xdef' }],
  ['a key the message lacks', { owner: '0xabc' }],
  ['an object where there is none', { type: {} }],
  ['an attribute every object inherits', { constructor: {} }],
  ['a list', { content: { content: { tags: ['a'] } } }],
  ['another type of the same text', { content: { content: { size: '2' } } }],
])('a subscription to %s is not matched', (_what, subscription) => {
  expect(matchesSubscription(subscription, message)).toBe(false)
})
