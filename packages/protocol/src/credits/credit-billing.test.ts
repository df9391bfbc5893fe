import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { devnetProfile } from '../profile/devnet.ts'
import { type AllocationChange, assignmentLeases } from './assignment-lease.ts'
import { type CreditCharge, executionExpenses, expensePost } from './credit-expense.ts'
import { readCreditPost } from './credit-post.ts'
import { creditsBought, distributionPost } from './credit-sale.ts'

const usdc = {
  chain: 'ETH' as const,
  evmChainId: 31_337,
  contract: '0x1',
  tokenContract: '0x2',
  token: 'USDC',
  decimals: 6,
  creditsPerToken: '1000000',
  bonusPercent: 0,
  startBlock: 0,
  finalAfterBlocks: 0,
}
const aleph = { ...usdc, token: 'ALEPH', decimals: 18, creditsPerToken: '57308.92', bonusPercent: 20 }
const purchase = { buyer: '0xb', value: 2_500_000n, txHash: '0xt', logIndex: 3, time: 1_780_000_000 }

const publisher = devnetProfile.addresses.credits[0]!

function read(post: Record<string, unknown> | null) {
  const { type, content } = post as { type: string; content: unknown }
  return readCreditPost({ address: publisher, channel: 'ALEPH_CREDIT', type, content }, devnetProfile)
}

describe('buying credits', () => {
  it('gives a million for a dollar, rounds down, and adds the bonus', () => {
    expect(creditsBought(1_000_000n, usdc)).toEqual({ credits: 1_000_000n, bonus: 0n })
    expect(creditsBought(10n ** 18n, aleph)).toEqual({ credits: 68_769n, bonus: 11_461n })
    expect(creditsBought(0n, usdc)).toEqual({ credits: 0n, bonus: 0n })
  })

  it('is announced by one post, always the same, that the ledger understands', () => {
    expect(distributionPost(purchase, usdc)).toEqual(distributionPost(purchase, usdc))
    expect(read(distributionPost(purchase, usdc))).toMatchObject({
      kind: 'distribution',
      distribution: { credits: [{ address: '0xb', amount: 2_500_000, tx_hash: '0xt', ref: '0xt:3' }] },
    })
    expect(distributionPost({ ...purchase, value: 1n }, aleph)).toBeNull()
  })
})

const charge: CreditCharge = {
  resource: 'vm',
  payer: '0xp',
  creditsPerSecond: '3.958333',
  since: 0,
  until: null,
}
const hour = { start: 3_600, end: 7_200 }
const at = (time: number, node: string | null, owner = 'a'): AllocationChange => ({
  owner,
  time,
  changes: { vm: node === null ? null : { node, since: 0, epoch: 0, rank: 0, state: 'running' } },
})
const bill = (...changes: AllocationChange[]) => executionExpenses([charge], assignmentLeases(changes), hour)

describe('an hour of a machine', () => {
  it('is paid to the node that had it, rounded up', () => {
    expect(bill(at(10, 'n1'))).toEqual([
      {
        address: '0xp',
        amount: 14_250,
        price: 3.958333,
        time: 3_600,
        execution_id: 'vm',
        node_id: 'n1',
        ref: 'vm',
      },
    ])
  })

  it('is shared by nodes between which it moved', () => {
    const [first, second] = bill(at(10, 'n1'), at(5_400, 'n2'))
    expect(first).toMatchObject({ node_id: 'n1', time: 1_800 })
    expect(second).toMatchObject({ node_id: 'n2', time: 1_800 })
  })

  it('is never paid twice, however many core nodes claim it', () => {
    const [first, second, ...rest] = bill(at(10, 'n1'), at(20, 'n2', 'b'), at(5_000, null))
    expect(first).toMatchObject({ node_id: 'n1', time: 1_400 })
    expect(second).toMatchObject({ node_id: 'n2', time: 2_200 })
    expect(rest).toEqual([])
  })

  it('is not paid while nobody has it, before it is ordered, or after it is given up', () => {
    expect(bill(at(10, 'n1'), at(3_000, null))).toEqual([])
    const leases = assignmentLeases([at(10, 'n1')])
    expect(executionExpenses([{ ...charge, since: 7_000 }], leases, hour)).toMatchObject([{ time: 200 }])
    expect(executionExpenses([{ ...charge, until: 3_700 }], leases, hour)).toMatchObject([{ time: 100 }])
    expect(executionExpenses([{ ...charge, creditsPerSecond: '0' }], leases, hour)).toEqual([])
  })

  it('costs the same in one window as in two, but for rounding, and never more seconds than it has', () => {
    const time = fc.integer({ min: 0, max: 10_000 })
    const node = fc.constantFrom('n1', 'n2', null)
    const change = fc.record({ time, node, owner: fc.constantFrom('a', 'b') })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), time, (changes, middle) => {
        const leases = assignmentLeases(changes.map((one) => at(one.time, one.node, one.owner)))
        const seconds = (start: number, end: number) =>
          executionExpenses([charge], leases, { start, end }).reduce((sum, entry) => sum + entry.time, 0)
        expect(seconds(0, 10_000)).toBeCloseTo(seconds(0, middle) + seconds(middle, 10_000), 6)
        expect(seconds(0, 10_000)).toBeLessThanOrEqual(10_000)
      }),
    )
  })

  it('is billed by a post that the ledger understands', () => {
    const post = expensePost(bill(at(10, 'n1')), hour, { creditPriceAleph: '0.0000174' })
    expect(read(post)).toMatchObject({
      kind: 'expense',
      expense: { credits: [{ address: '0xp', amount: 14_250, execution_id: 'vm', node_id: 'n1' }] },
    })
    expect(expensePost([], hour, { creditPriceAleph: '1' })).toBeNull()
  })
})
