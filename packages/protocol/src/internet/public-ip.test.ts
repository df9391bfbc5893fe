import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isPublicIp } from './public-ip.ts'

test.each(['1.1.1.1', '93.184.216.34', '223.255.255.254', '2606:4700:4700::1111', '2A01:4F8::1'])(
  '%s is public',
  (address) => expect(isPublicIp(address)).toBe(true),
)

const closed =
  `0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1
  192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1
  fe80::1%eth0 2606::1%eth0 fc00::1 fd00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 2001::1 2001:db8::1
  2002:7f00:1:: 3fff::1 4000::1`.split(/\s+/)
const noAddresses = [
  '',
  'example.org',
  '1.1.1',
  '01.1.1.1',
  '1.1.1.256',
  '0x7f.1',
  '2606:::1',
  '2606::1::1',
  ':',
  '2606:1',
]

test.each([...closed, ...noAddresses])('"%s" is not', (address) => expect(isPublicIp(address)).toBe(false))

test('no spelling of an address changes what it is', () => {
  const group = fc.integer({ min: 0, max: 0xffff })
  fc.assert(
    fc.property(fc.tuple(fc.constantFrom(0x2606, 0xfd00, 0x2001), group, group), ([a, b, c]) => {
      const [short, long] = [
        `${a.toString(16)}:${b.toString(16)}::${c.toString(16)}`,
        [a, b, 0, 0, 0, 0, 0, c].map((part) => part.toString(16).padStart(4, '0').toUpperCase()).join(':'),
      ]
      expect(isIPv6(short) && isIPv6(long)).toBe(true)
      expect(isPublicIp(short)).toBe(isPublicIp(long))
    }),
  )
})
