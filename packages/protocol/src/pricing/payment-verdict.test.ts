import { describe, expect, it } from 'vitest'
import { devnetProfile } from '../profile/devnet.ts'
import { mainnetProfile } from '../profile/mainnet.ts'
import type { NetworkProfile, PaymentType } from '../profile/network-profile.ts'
import type { CostableMessage } from './costable.ts'
import { type PaymentVerdict, paymentVerdict } from './payment-verdict.ts'

const mebibyte = 1024 * 1024
const resources = { vcpus: 1, memory: 128 }
const code = { ref: 'r' }

const messages = {
  store: (type: PaymentType): CostableMessage => ({ type: 'STORE', content: { payment: { type } } }),
  program: (type: PaymentType, persistent = false): CostableMessage => ({
    type: 'PROGRAM',
    content: { payment: { type }, on: { persistent }, environment: {}, resources, code, runtime: code },
  }),
  instance: (type: PaymentType): CostableMessage => ({
    type: 'INSTANCE',
    content: { payment: { type }, environment: {}, resources, rootfs: { parent: code, size_mib: 1 } },
  }),
}

const early = { time: 1_700_000_000 }
const mid = { time: 1_750_000_000 }
const creditsForVms = { time: 1_773_187_200 }
const creditsOnly = { time: 1_798_761_600 }

function verdict(
  message: CostableMessage & { storedFileSize?: number },
  observed: { time: number; ethHeight?: number },
  profile: NetworkProfile = mainnetProfile,
): PaymentVerdict {
  return paymentVerdict(message, observed, profile)
}

describe('how a message has to pay on the production network', () => {
  it('messages that keep nothing running are free', () => {
    for (const type of ['POST', 'AGGREGATE', 'FORGET'] as const) {
      expect(verdict({ type, content: {} }, creditsOnly)).toBe('free')
    }
  })

  it('files and functions were free before prices came', () => {
    expect(verdict(messages.store('hold'), early)).toBe('free')
    expect(verdict(messages.program('hold'), early)).toBe('free')
    expect(verdict(messages.program('hold', true), early)).toBe('check')
    expect(verdict(messages.instance('hold'), early)).toBe('check')
  })

  it('a confirmation on chain counts more than the clock', () => {
    expect(verdict(messages.program('hold'), { ...mid, ethHeight: 22_195_999 })).toBe('free')
    expect(verdict(messages.program('hold'), { ...early, ethHeight: 22_196_000 })).toBe('check')
  })

  it('small files paid by hold are free until only credits count', () => {
    const file = (size: number) => ({ ...messages.store('hold'), storedFileSize: size })
    expect(verdict(file(25 * mebibyte), mid)).toBe('free')
    expect(verdict(file(25 * mebibyte + 1), mid)).toBe('check')
    expect(verdict(file(25 * mebibyte), creditsOnly)).toBe('refused')
  })

  it('streams are not checked, as long as they are taken', () => {
    expect(verdict(messages.instance('superfluid'), mid)).toBe('unchecked')
    expect(verdict(messages.instance('superfluid'), creditsForVms)).toBe('refused')
  })

  it('what runs all the time pays in credits first, everything else later', () => {
    expect(verdict(messages.instance('hold'), creditsForVms)).toBe('refused')
    expect(verdict(messages.program('hold', true), creditsForVms)).toBe('refused')
    expect(verdict(messages.program('hold'), creditsForVms)).toBe('check')
    expect(verdict(messages.program('hold'), creditsOnly)).toBe('refused')
    expect(verdict(messages.program('credit'), creditsOnly)).toBe('check')
  })
})

it('on a development network every way of paying is taken for ever', () => {
  expect(verdict(messages.program('hold'), creditsOnly, devnetProfile)).toBe('check')
  expect(verdict(messages.program('hold', true), creditsOnly, devnetProfile)).toBe('check')
  expect(verdict(messages.instance('superfluid'), creditsOnly, devnetProfile)).toBe('unchecked')
})
