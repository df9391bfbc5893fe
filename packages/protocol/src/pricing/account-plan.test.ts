import { describe, expect, it } from 'vitest'
import { devnetProfile } from '../profile/devnet.ts'
import { mainnetProfile } from '../profile/mainnet.ts'
import { accountPlan, affordable, creditsOfADay, type PaidResource } from './account-plan.ts'

it('keeps the oldest resources that the balance carries, and lets nothing newer jump the queue', () => {
  expect(affordable('10', ['4', '4', '4', '1'])).toEqual([true, true, false, false])
  expect(affordable('9', ['4', '4', '1'])).toEqual([true, true, true])
  expect(affordable('0', ['0', '0.1'])).toEqual([true, false])
})

it('a day of credits is told to the last digit', () => {
  expect(creditsOfADay('3.958333333333333333')).toBe('341999.9999999999999712')
})

describe('the plan of an account', () => {
  const firstPrices = mainnetProfile.cutoffs.freeStoreAndProgramUntil!
  const creditOnly = mainnetProfile.cutoffs.creditOnlyFrom!
  const small = mainnetProfile.limits.freeFileBytes
  const resource = (itemHash: string, given: Partial<PaidResource> = {}): PaidResource => ({
    itemHash,
    need: '4',
    status: 'processed',
    time: 1_780_000_000,
    ethHeight: firstPrices.ethHeight,
    fileBytes: null,
    ...given,
  })
  const plan = (balance: string, resources: PaidResource[], payment: 'hold' | 'credit' = 'hold') =>
    accountPlan(payment, balance, resources, mainnetProfile)

  it('suspends the newest that cannot be paid, and brings back what can be again', () => {
    const resources = [resource('a'), resource('b', { status: 'removing' }), resource('c')]
    expect(plan('8', resources)).toEqual({ remove: ['c'], recover: ['b'] })
    expect(plan('12', resources)).toEqual({ remove: [], recover: ['b'] })
    expect(plan('0', resources)).toEqual({ remove: ['a', 'c'], recover: [] })
  })

  it('does not suspend again what is suspended already, nor bring back what is paid anyway', () => {
    expect(plan('0', [resource('a', { status: 'removing' })])).toEqual({ remove: [], recover: [] })
    expect(plan('4', [resource('a')])).toEqual({ remove: [], recover: [] })
  })

  it('spares holdings confirmed before anything had a price, though they use up the balance', () => {
    const old = resource('old', { ethHeight: firstPrices.ethHeight - 1 })
    expect(plan('4', [old, resource('new')])).toEqual({ remove: ['new'], recover: [] })
    expect(plan('0', [old])).toEqual({ remove: [], recover: [] })
    expect(plan('0', [old], 'credit')).toEqual({ remove: ['old'], recover: [] })
  })

  it('counts what no chain confirmed, too', () => {
    expect(plan('0', [resource('a', { ethHeight: null })])).toEqual({ remove: ['a'], recover: [] })
    const old = resource('a', { ethHeight: null, time: firstPrices.time - 1 })
    expect(plan('0', [old])).toEqual({ remove: [], recover: [] })
  })

  it('spares small files: held for always, paid with credits until credits are the only way', () => {
    const late = { time: creditOnly, fileBytes: small }
    expect(plan('0', [resource('a', { fileBytes: small })], 'credit').remove).toEqual([])
    expect(plan('0', [resource('a', { fileBytes: small + 1 })], 'credit').remove).toEqual(['a'])
    expect(plan('0', [resource('a', late)], 'credit').remove).toEqual(['a'])
    expect(plan('0', [resource('a', late)]).remove).toEqual([])
    expect(accountPlan('credit', '0', [resource('a', late)], devnetProfile).remove).toEqual([])
  })
})
