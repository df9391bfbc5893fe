import { expect, test } from 'vitest'
import { linksIn, tapLink } from './tap-link.ts'

const hash = 'decadeca'.repeat(8)
const pools = { tapPrefix: 'vmtap', ipv4Pool: '172.16.0.0/12', ipv6Pool: 'fc00:1:2:3::/64' }

test('a link has the addresses that the network’s nodes give (protocol 05 §22)', () => {
  expect(tapLink(pools, 3, hash)).toEqual({
    tap: 'vmtap3',
    mac: '02:de:ca:de:ca:de',
    ipv4: { network: '172.16.3.0/24', gateway: '172.16.3.1', address: '172.16.3.2' },
    ipv6: {
      network: 'fc00:1:2:3:3:deca:deca:dec0/124',
      gateway: 'fc00:1:2:3:3:deca:deca:dec0',
      address: 'fc00:1:2:3:3:deca:deca:dec1',
    },
  })
})

test('links go on into the next octet, and end with the pool', () => {
  expect(tapLink(pools, 259, hash).ipv4.address).toBe('172.17.3.2')
  expect(linksIn(pools.ipv4Pool)).toBe(4096)
  expect(tapLink(pools, 4095, hash).ipv4.network).toBe('172.31.255.0/24')
  expect(() => tapLink(pools, 4096, hash)).toThrow('not within the pool')
})

test('a pool named by one of its addresses is the same pool', () => {
  expect(tapLink({ ...pools, ipv4Pool: '10.9.9.9/16' }, 4, hash).ipv4.network).toBe('10.9.4.0/24')
})

test('what is no pool is refused by its name', () => {
  for (const pool of ['172.16.0.0', '172.16.0.0/28', '0.0.0.0/0']) {
    expect(() => linksIn(pool)).toThrow(`got ${pool}`)
  }
})
