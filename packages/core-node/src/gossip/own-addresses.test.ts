import { expect, test } from 'vitest'
import { addressesToTell } from './own-addresses.ts'

const own = '/ip4/127.0.0.1/tcp/4025/p2p/Qm'
const inside = '/ip4/172.17.0.1/tcp/4025/p2p/Qm'
const outside = [
  '/ip4/9.9.9.9/tcp/4025/p2p/Qm',
  '/ip6/2a00::1/tcp/4025/p2p/Qm',
  '/dns4/a.example/tcp/1/p2p/Qm',
]

test('a node tells all the addresses that others can reach, and no nearer ones', () => {
  expect(addressesToTell([own, inside, ...outside])).toEqual(outside)
  expect(addressesToTell([own, inside])).toEqual([inside])
  expect(addressesToTell([own])).toEqual([own])
  expect(addressesToTell([])).toEqual([])
})
