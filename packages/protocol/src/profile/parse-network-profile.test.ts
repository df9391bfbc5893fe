import { describe, expect, it } from 'vitest'
import { devnetProfile } from './devnet.ts'
import { mainnetProfile } from './mainnet.ts'
import { InvalidProfileError, parseNetworkProfile } from './parse-network-profile.ts'

describe('a network profile', () => {
  it('that is built in survives a trip through JSON', () => {
    for (const profile of [mainnetProfile, devnetProfile]) {
      expect(parseNetworkProfile(JSON.parse(JSON.stringify(profile)))).toEqual(profile)
    }
  })

  it('may extend another one and change what differs', () => {
    const tokens = [{ chain: 'ETH', evmChainId: 31337, contract: '0x1', startBlock: 3 }]
    expect(parseNetworkProfile({ extends: 'devnet', name: 'lab', tokens })).toEqual({
      ...devnetProfile,
      name: 'lab',
      tokens: [{ ...tokens[0], decimals: 18 }],
    })
  })

  it.each([null, [], 'devnet', {}, { extends: 'moonnet' }, { extends: 'devnet', topic: 1 }])(
    '%j is refused with the place of every mistake',
    (json) => {
      expect(() => parseNetworkProfile(json)).toThrow(InvalidProfileError)
    },
  )

  it('takes addresses in any case, as they are compared in one', () => {
    const { addresses } = devnetProfile
    const credits = [addresses.settings.toLowerCase()]
    expect(
      parseNetworkProfile({ extends: 'devnet', addresses: { ...addresses, credits } }).addresses.credits,
    ).toEqual([addresses.settings])
  })

  it('names the field that is wrong', () => {
    expect(() => parseNetworkProfile({ ...devnetProfile, tokens: [{ chain: 'XYZ' }] })).toThrow(
      /tokens\.0\.chain/,
    )
  })
})
