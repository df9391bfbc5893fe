import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { dialRule } from './dial-rule.ts'
import { parsePeerAddress } from './peer-address.ts'

const configured = parsePeerAddress(
  '/ip4/10.0.0.7/tcp/4025/p2p/QmZkurbY2G2hWay59yiTgQNaQxHSNzKZFt2jbnwJhQcKgV',
)!

test.each([
  ['/ip4/203.0.114.7/tcp/4025', true],
  ['/dns4/node.example.org/tcp/4025', true],
  ['/ip4/10.0.0.7/tcp/4026', true],
  ['/ip4/10.0.0.8/tcp/4025', false],
  ['/ip4/127.0.0.1/tcp/5432', false],
  ['/ip6/::1/tcp/4025', false],
  ['/ip6/::ffff:127.0.0.1/tcp/4025', false],
])('whether %s is connected to: %s', (address, isDialed) => {
  expect(dialRule([configured], { allowPrivate: false })(multiaddr(address))).toBe(isDialed)
  expect(dialRule([], { allowPrivate: true })(multiaddr(address))).toBe(true)
})
