import { expect, it } from 'vitest'
import { gossipMessageId } from './message-id.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

it.each([
  ['an empty payload', utf8(''), '13646096770106105413'],
  ['hello', utf8('hello'), '9754003402134539932'],
  ['a small message', utf8('{"item_hash":"abc"}'), '15841159263145866952'],
  ['300 zero bytes', new Uint8Array(300), '9507568652162644507'],
])('the gossip id of %s is the one other implementations compute', (_, data, id) => {
  expect(new TextDecoder().decode(gossipMessageId(data))).toBe(id)
})

it('does not depend on where in a buffer the payload lies', () => {
  const buffer = Buffer.from('xxxhelloxxx')
  expect(gossipMessageId(buffer.subarray(3, 8))).toEqual(gossipMessageId(utf8('hello')))
})
