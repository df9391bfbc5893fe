import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStreamRate, setStreamRateCall, streamRateCall } from './stream-calls.ts'
import { requiredStreams, streamsSuffice } from './stream-rates.ts'

const token = '0xc0Fbc4967259786C743361a5885ef49380473dCF'
const payer = '0x1111111111111111111111111111111111111111'
const receiver = '0x2222222222222222222222222222222222222222'

describe('what must flow', () => {
  it('is four fifths for the operator and one for the community, to the last unit', () => {
    expect(requiredStreams([{ cost: '0.000015277777777777', sharesWithCommunity: true }])).toEqual({
      operator: 12_222_222_222_221n,
      community: 3_055_555_555_555n,
    })
  })

  it('is all for the operator of a machine that is older than the community share', () => {
    expect(
      requiredStreams([
        { cost: '1', sharesWithCommunity: false },
        { cost: '0.5', sharesWithCommunity: true },
      ]),
    ).toEqual({ operator: 14n * 10n ** 17n, community: 10n ** 17n })
  })

  it('is never more than the price, and less by a unit at most', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 24n }), (units) => {
        const cost = `${units / 10n ** 18n}.${String(units % 10n ** 18n).padStart(18, '0')}`
        const { operator, community } = requiredStreams([{ cost, sharesWithCommunity: true }])
        const missing = units - operator - community
        expect(missing === 0n || missing === 1n).toBe(true)
      }),
    )
  })

  it('refuses a price that is no price', () => {
    for (const cost of ['-1', '1e5', 'NaN', '', '1.', `${'9'.repeat(31)}`]) {
      expect(() => requiredStreams([{ cost, sharesWithCommunity: true }])).toThrow(RangeError)
    }
  })

  it('is there when at most a speck is missing, and not when nothing flows', () => {
    const required = { operator: 10n ** 12n, community: 10n ** 11n }
    expect(streamsSuffice(required, required)).toBe(true)
    expect(streamsSuffice({ ...required, operator: 10n ** 12n - 10n ** 8n }, required)).toBe(true)
    expect(streamsSuffice({ ...required, operator: 10n ** 12n - 10n ** 8n - 1n }, required)).toBe(false)
    expect(streamsSuffice({ ...required, community: 0n }, required)).toBe(false)
    expect(streamsSuffice({ operator: 0n, community: 0n }, { operator: 5n, community: 0n })).toBe(false)
  })
})

describe('calls to the flow forwarder', () => {
  it('are encoded as the contract reads them', () => {
    expect(streamRateCall({ token, payer, receiver })).toBe(
      `0x1d8b6526${'0'.repeat(24)}${token.slice(2).toLowerCase()}${'0'.repeat(24)}${'1'.repeat(40)}${'0'.repeat(24)}${'2'.repeat(40)}`,
    )
    expect(setStreamRateCall({ token, receiver, rate: 255n })).toMatch(/^0x57e6aa36[0-9a-f]{128}0{62}ff$/)
  })

  it('refuse addresses and rates that cannot be', () => {
    expect(() => streamRateCall({ token: 'KT1', payer, receiver })).toThrow(/not an EVM address/)
    expect(() => setStreamRateCall({ token, receiver, rate: -1n })).toThrow(/rate/)
    expect(() => setStreamRateCall({ token, receiver, rate: 2n ** 95n })).toThrow(/rate/)
  })

  it('have answers of one word', () => {
    expect(parseStreamRate(`0x${'0'.repeat(62)}ff`)).toBe(255n)
    for (const answer of ['0x', '0xff', `0x${'f'.repeat(64)}`, 'no']) {
      expect(() => parseStreamRate(answer)).toThrow(RangeError)
    }
  })
})
