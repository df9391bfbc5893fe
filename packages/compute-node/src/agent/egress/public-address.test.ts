import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { isPublicAddress } from './public-address.ts'

test.each(['1.1.1.1', '93.184.216.34', '223.255.255.254', '2606:4700:4700::1111', '2a01:4f8::1'])(
  'a guest may reach %s',
  (address) => expect(isPublicAddress(address)).toBe(true),
)

test.each([
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
  ...['192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1'],
  ...[
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd00::1',
  ],
  ...[
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
  ],
  ...['example.org', '', '1.1.1', '0x7f.1'],
])('a guest may not reach "%s"', (address) => expect(isPublicAddress(address)).toBe(false))

test('a guest may not reach an address of its host', () => {
  for (const { address } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
    expect(isPublicAddress(address)).toBe(false)
  }
})
