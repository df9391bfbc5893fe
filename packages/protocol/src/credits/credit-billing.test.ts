import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { devnetProfile } from '../profile/devnet.ts'
import { type AllocationChange, assignmentLeases } from './assignment-lease.ts'
import {
  type BillingWindow,
  type CreditCharge,
  executionExpenses,
  expensePost,
  storageExpenses,
} from './credit-expense.ts'
import { readCreditPost } from './credit-post.ts'
import { creditsBought, distributionPost } from './credit-sale.ts'
import { leaseRef, leaseWindow } from './lease-ref.ts'
import { replayCredits } from './replay-credits.ts'

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
  kind: 'execution',
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
        ref: 'lease/3600-7200/vm',
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
    const post = expensePost(bill(at(10, 'n1')), hour, { kind: 'execution', creditPriceAleph: '0.0000174' })
    expect(read(post)).toMatchObject({
      kind: 'expense',
      expense: { credits: [{ address: '0xp', amount: 14_250, execution_id: 'vm', node_id: 'n1' }] },
    })
    expect(expensePost([], hour, { kind: 'execution', creditPriceAleph: '1' })).toBeNull()
  })
})

describe('a file', () => {
  const file: CreditCharge = {
    ...charge,
    kind: 'storage',
    resource: 'file',
    creditsPerSecond: '0.0012',
    sizeMib: 25,
  }

  it('is paid for as long as it exists, whoever keeps it', () => {
    expect(storageExpenses([file, charge], hour)).toEqual([
      {
        address: '0xp',
        amount: 5,
        price: 0.0012,
        time: 3_600,
        execution_id: 'file',
        ref: 'lease/3600-7200/file',
        size: 25,
      },
    ])
    expect(storageExpenses([{ ...file, since: 7_000 }], hour)).toMatchObject([{ time: 200, amount: 1 }])
    expect(storageExpenses([{ ...file, until: 3_000 }], hour)).toEqual([])
    expect(executionExpenses([file], assignmentLeases([at(10, 'n1')]), hour)).toEqual([])
  })

  it('is billed by a post of its own kind', () => {
    const post = expensePost(storageExpenses([file], hour), hour, { kind: 'storage', creditPriceAleph: '1' })
    expect(post).toMatchObject({ content: { tags: ['credit_expense', 'type_storage'] } })
    expect(read(post)).toMatchObject({ kind: 'expense', expense: { credits: [{ size: 25 }] } })
  })
})

describe('two billers of one network', () => {
  const given = 1_000_000n

  /** A bill as one of them published it, who saw the allocations that it saw. */
  function billed(itemHash: string, time: number, changes: AllocationChange[], window: BillingWindow) {
    const entries = executionExpenses([charge], assignmentLeases(changes), window)
    const post = expensePost(entries, window, { kind: 'execution', creditPriceAleph: '1' })
    return post ? [{ itemHash, address: publisher, time, operation: read(post)! }] : []
  }

  const grant = {
    itemHash: '0',
    address: publisher,
    time: 0,
    operation: read(distributionPost({ ...purchase, buyer: '0xp', value: given, time: 0 }, usdc))!,
  }

  it('never both bill an hour of a machine, whatever each of them saw, and in whatever order the bills come', () => {
    const node = fc.constantFrom('n1', 'n2', null)
    const seen = fc.array(fc.record({ time: fc.integer({ min: 0, max: 10_800 }), node }), { maxLength: 6 })
    fc.assert(
      fc.property(seen, seen, fc.boolean(), (first, second, isReversed) => {
        const bills = [first, second].flatMap((changes, biller) =>
          [0, 1, 2].flatMap((index) => {
            const window = { start: index * 3_600, end: (index + 1) * 3_600 }
            const allocations = changes.map((change) => at(change.time, change.node))
            return billed(`${biller}${index}`, window.end + biller, allocations, window)
          }),
        )
        const { entries, ledger } = replayCredits(
          [grant, ...(isReversed ? bills.reverse() : bills)],
          devnetProfile,
        )
        const paid = Map.groupBy(
          entries.filter(({ amount }) => amount < 0n),
          ({ facts }) => leaseWindow(facts.originRef),
        )
        for (const lines of paid.values()) {
          expect(new Set(lines.map(({ ref }) => ref)).size).toBe(1)
          const sum = lines.reduce((total, { amount }) => total - amount, 0n)
          // Each line is rounded up.
          expect(Number(sum)).toBeLessThanOrEqual(3.958333 * 3_600 + lines.length)
        }
        const spent = [...paid.values()].flat().reduce((total, { amount }) => total - amount, 0n)
        expect(ledger.balance('0xp', 20_000)).toBe(given - spent)
      }),
    )
  })

  it('are told apart from bills of other services, which count as they are', () => {
    const credits = [{ address: '0xp', amount: 10, ref: 'one and the same' }]
    const content = { type: 'aleph_credit_expense', content: { expense: { credits } } }
    const posts = ['1', '2'].map((itemHash) => ({ ...grant, itemHash, time: 5, operation: read(content)! }))
    const { ledger } = replayCredits([grant, ...posts], devnetProfile)
    expect(ledger.balance('0xp', 10)).toBe(given - 20n)
    expect(leaseWindow(leaseRef('vm', hour))).toBe('3600-7200')
    for (const ref of [undefined, null, '', 'vm', 'lease/1-2/', 'lease/x/vm'])
      expect(leaseWindow(ref)).toBeNull()
  })
})
