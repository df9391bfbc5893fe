import { describe, expect, it } from 'vitest'
import {
  corechannelSchema,
  distributionContent,
  mainnetProfile,
  periodRewards,
  readExpenseRevenue,
  rewardMoments,
} from '../src/index.ts'
import { readFixture } from './fixtures.ts'

interface Posts {
  [name: string]: { value: { item_hash?: string; content: { time: number; content: unknown } } }
}
const { posts, corechannel } = readFixture<{
  posts: Posts
  corechannel: { aggregate_response: { value: { data: { corechannel: unknown } } } }
}>('network-objects')
const registry = corechannelSchema.parse(corechannel.aggregate_response.value.data.corechannel)
const policy = mainnetProfile.rewards
const day = { from: Date.UTC(2026, 5, 1) / 1000, to: Date.UTC(2026, 5, 2) / 1000 }

function expenseOf(name: string) {
  const { time, content } = posts[name]!.value.content
  return readExpenseRevenue({ itemHash: name, time, content })!
}

function rewardsOf(period: typeof day, expenses = [expenseOf('aleph_credit_expense-storage')]) {
  const streams = rewardMoments(period, expenses, policy).flatMap(({ earned }) => earned(registry))
  return periodRewards(period, streams, { registry, height: 25_000_000 }, policy)
}

const units = (aleph: string) => BigInt(aleph.replace('.', ''))
const sum = (amounts: Iterable<string>) => [...amounts].reduce((total, each) => total + units(each), 0n)

describe('an expense post', () => {
  it('of the production network tells its end and what each node did', () => {
    const { endTime, revenues } = expenseOf('aleph_credit_expense-execution')
    expect(endTime).toBe(1778059834.782)
    expect(revenues).toMatchObject([{ stream: 'credit_revenue', work: 'execution' }])
    expect(revenues[0]!.credits[0]).toEqual({
      amount: 57008,
      nodeId: '58824ca94b6cbe4e9563eef08c1a64836ce92b383596c7deb2a319d33da44c6b',
    })
  })

  it('may write its times in seconds, name no node, and tell what holders would have paid', () => {
    const expense = {
      end_date: 1_700_000_000,
      credit_price_aleph: '0.001',
      credits: [],
      hold: [{ amount: 5, node_id: '' }],
    }
    expect(
      readExpenseRevenue({ itemHash: 'a', time: 1, content: { tags: ['type_storage'], expense } }),
    ).toEqual({
      itemHash: 'a',
      endTime: 1_700_000_000,
      revenues: [
        {
          stream: 'holder_tier',
          work: 'storage',
          creditPriceAleph: '0.001',
          credits: [{ amount: 5, nodeId: null }],
        },
      ],
    })
  })

  it.each([null, 7, {}, { expense: {} }, { expense: { credit_price_aleph: 'much' } }])(
    '%j tells nothing',
    (content) => {
      expect(readExpenseRevenue({ itemHash: 'a', time: 1, content })).toBeNull()
    },
  )
})

describe('the rewards of a period', () => {
  it('add up to the last unit', () => {
    const { rewards } = rewardsOf(day)
    expect(units(rewards.total)).toBe(units('24750.000000000000000000'))
    const given = sum(Object.values(rewards.paid)) + sum(Object.values(rewards.slashed))
    expect(given + sum([rewards.unallocated, rewards.devFund, rewards.kept])).toBe(units(rewards.total))
    expect(units(rewards.kept)).toBeGreaterThanOrEqual(0n)
  })

  it('count an expense in the day in which it ends, and in no other', () => {
    const expense = { ...expenseOf('aleph_credit_expense-storage'), endTime: day.to }
    const next = { from: day.to, to: day.to + 86_400 }
    expect(rewardsOf(day, [expense]).rewards.bySource.credit_revenue).toBe('0.000000000000000000')
    expect(Number(rewardsOf(next, [expense]).rewards.bySource.credit_revenue)).toBeGreaterThan(0)
  })

  it('are published in the shape of the network, with numbers that agree', () => {
    const { value } = posts['credit-rewards-distribution']!
    const known = value.content.content as Record<string, object>
    const expense = { ...expenseOf('aleph_credit_expense-storage'), endTime: day.from }
    const content = distributionContent(rewardsOf(day, [expense]), policy, {
      status: 'calculation',
      startHeight: 24_990_000,
      targets: [],
    })
    const keysOf = (document: object) => Object.keys(document).sort()
    expect(keysOf(content)).toEqual(keysOf(known))
    for (const part of ['credit_revenue_totals', 'holder_tier_totals', 'wage_subsidy', 'total'] as const) {
      expect(keysOf(content[part])).toEqual(keysOf(known[part]!))
    }
    const { full, bySource, totals } = content.total
    const wages = Object.values(full.wage_subsidy).reduce((a, b) => a + b)
    expect(bySource.wage_subsidy).toBeCloseTo(wages, 9)
    const { storage_total_aleph: stored, dev_fund_total_aleph: kept } = content.credit_revenue_totals
    expect(stored).toBeCloseTo(184 * 5.7308924861535e-5, 12)
    expect(kept).toBeCloseTo(stored * 0.05, 12)
    expect(totals.aleph).toBeCloseTo(24_750 + stored * 0.95, 9)
    expect(content.wage_subsidy.period_total_aleph).toBeCloseTo(24_750, 9)
  })
})
