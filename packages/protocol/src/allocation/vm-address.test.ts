import { describe, expect, it } from 'vitest'
import { parseVmHostLabel, vmHostLabel } from './vm-host-label.ts'
import { vmIpv6 } from './vm-ipv6.ts'

const deca = 'deca'.repeat(16)

describe('the host name of a VM', () => {
  it.each([
    [deca, '33fn5sw6zlpmvxwk33fn5sw6zlpmvxwk33fn5sw6zlpmvxwk33fa'],
    [
      '63faf8b5db1cf8d965e6a464a0cb8062af8e7df131729e48738342d956f29ace',
      'mp5prno3dt4nszpgurskbs4amkxy47prgfzj4sdtqnbnsvxstlha',
    ],
  ])('of %s is %s and leads back, in any case', (hash, label) => {
    expect(vmHostLabel(hash)).toBe(label)
    expect(parseVmHostLabel(label)).toBe(hash)
    expect(parseVmHostLabel(label.toUpperCase())).toBe(hash)
  })

  it.each(['', 'www', 'a'.repeat(51), 'a'.repeat(53), '1'.repeat(52), `${'a'.repeat(51)}b`])(
    '"%s" names no VM',
    (label) => expect(parseVmHostLabel(label)).toBeNull(),
  )

  it('is refused for what is not a VM hash', () => {
    expect(() => vmHostLabel('QmTest')).toThrow(/64 lower-case hex/)
  })
})

describe('the IPv6 network of a VM', () => {
  it('holds kind and hash after the pool', () => {
    expect(vmIpv6('fc00:1:2:3::/64', 'instance', deca)).toEqual({
      network: 'fc00:1:2:3:3:deca:deca:dec0/124',
      gateway: 'fc00:1:2:3:3:deca:deca:dec0',
      address: 'fc00:1:2:3:3:deca:deca:dec1',
    })
  })

  it('is written as short as addresses are', () => {
    const zeros = `${'0'.repeat(16)}${deca.slice(16)}`
    expect(vmIpv6('2001:db8::/56', 'microvm', zeros).address).toBe('2001:db8::1:0:0:1')
  })

  it.each(['', '::', '1::2::3/64', 'fc00:1:2:3::/48', 'fc00:1:2:3:4:5:6:7:8/64', '10.0.0.0/64', 'g::/64'])(
    'pool "%s" is refused',
    (pool) => expect(() => vmIpv6(pool, 'instance', deca)).toThrow(TypeError),
  )
})
