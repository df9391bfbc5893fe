import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  corechannelSchema,
  creditRevenueShares,
  mainnetProfile,
  type RewardShares,
  rewardStatement,
  stakersPool,
  stakingShares,
  utcDays,
  wageBetween,
  wageShares,
} from '../src/index.ts'
import { readFixture } from './fixtures.ts'

interface RevenueVector {
  credit_price_aleph: number
  credits: { amount: number; node_id?: string | null }[]
  total_aleph: number
  dev_fund_aleph: number
  rewards: Record<string, number>
  unallocated?: Record<'crn' | 'ccn' | 'staker', Record<string, number>>
}

const { corechannel, vectors } = readFixture<{
  corechannel: { aggregate_response: { value: { data: { corechannel: unknown } } } }
  vectors: {
    rewards_v1_one_day: { blocks: number; rewards: Record<string, number>; stakers_pool: number }
    rewards_v2_execution: RevenueVector
    rewards_v2_storage: RevenueVector
    wage_subsidy_day: {
      day: string
      period_total_aleph: number
      rewards: Record<string, number>
      ten_days_total: number
    }
  }
}>('network-objects')

const registry = corechannelSchema.parse(corechannel.aggregate_response.value.data.corechannel)
const policy = mainnetProfile.rewards

/** By address as in the fixture, where no address has letters. */
function byAddress({ shares }: RewardShares): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { address, amount } of shares) sums[address!] = (sums[address!] ?? 0) + amount.toNumber()
  return sums
}

function expectRewards(
  actual: Record<string, number>,
  expected: Record<string, number>,
  digits: number,
): void {
  const earning = Object.entries(expected).filter(([, amount]) => amount > 0)
  expect(Object.keys(actual).sort()).toEqual(earning.map(([address]) => address).sort())
  for (const [address, amount] of earning) expect(actual[address]).toBeCloseTo(amount, digits)
}

describe('rewards of the first kind', () => {
  it('of one day are the golden ones', () => {
    const { blocks, rewards, stakers_pool } = vectors.rewards_v1_one_day
    expect(stakersPool(2).toNumber()).toBeCloseTo(stakers_pool, 9)
    expectRewards(
      byAddress(stakingShares(registry, { blocks, height: 20_000_000 }, mainnetProfile)),
      rewards,
      9,
    )
  })

  it('pay an early node more, ever less so', () => {
    const early = { ...registry, nodes: registry.nodes.map((node) => ({ ...node, has_bonus: true })) }
    const ofNode = (height: number, given = early) =>
      stakingShares(given, { blocks: 7130, height }, mainnetProfile)
        .shares.find(({ role }) => role === 'ccn')!
        .amount.toNumber()
    const plain = ofNode(0, registry)
    expect(ofNode(12_020_360)).toBeCloseTo(plain * 1.25, 9)
    expect(ofNode(12_020_360 + 1_000_000)).toBeCloseTo(plain * 1.15, 9)
    expect(ofNode(14_520_360)).toBeCloseTo(plain, 9)
  })

  it('are none without an active core node', () => {
    expect(
      stakingShares({ nodes: [], resource_nodes: [] }, { blocks: 1, height: 1 }, mainnetProfile).shares,
    ).toEqual([])
  })
})

describe('rewards from credits', () => {
  it.each([
    ['execution', vectors.rewards_v2_execution],
    ['storage', vectors.rewards_v2_storage],
  ] as const)('of %s are the golden ones, to the last share', (work, vector) => {
    const revenue = {
      stream: 'credit_revenue' as const,
      work,
      creditPriceAleph: vector.credit_price_aleph,
      credits: vector.credits.map(({ amount, node_id }) => ({ amount, nodeId: node_id ?? null })),
    }
    const result = creditRevenueShares(revenue, registry)
    expectRewards(byAddress(result), vector.rewards, 12)
    expect(result.devFund.toNumber()).toBeCloseTo(vector.dev_fund_aleph, 12)
    for (const [role, amounts] of Object.entries(vector.unallocated ?? {})) {
      for (const [key, amount] of Object.entries(amounts)) {
        const lost = result.unallocated.filter((each) => each.role === role && each.key === key)
        expect(lost.map((each) => each.amount.toNumber())[0]).toBeCloseTo(amount, 12)
      }
    }
    expect(totalOf(result)).toBeCloseTo(vector.total_aleph, 12)
  })

  it('go nowhere but are accounted for when no core node is active', () => {
    const empty = { nodes: [], resource_nodes: [] }
    for (const work of ['execution', 'storage'] as const) {
      const credits = [{ amount: 100, nodeId: 'gone' }]
      const result = creditRevenueShares({ stream: 'holder_tier', work, creditPriceAleph: 1, credits }, empty)
      expect(result.shares).toEqual([])
      expect(totalOf(result)).toBe(100)
    }
  })
})

describe('the wage subsidy', () => {
  const start = policy.wageFrom!

  it('of one day is the golden one', () => {
    const { day, period_total_aleph, rewards } = vectors.wage_subsidy_day
    const from = Date.parse(`${day}T00:00:00Z`) / 1000
    const result = wageShares({ from, to: from + 86_400 }, registry, policy)
    expect(wageBetween(from, from + 86_400, policy).toNumber()).toBe(period_total_aleph)
    expectRewards(byAddress(result), rewards, 6)
    expect(totalOf(result)).toBeCloseTo(period_total_aleph, 9)
  })

  it('gives the same for a period as for its days, and ends after six months', () => {
    const month = 30 * 86_400
    expect(wageBetween(start, start + 10 * 86_400, policy).toNumber()).toBeCloseTo(291_666.666666, 3)
    const days = utcDays(start + 1000, start + 10 * 86_400 + 5)
    expect(days).toHaveLength(11)
    const sum = days.reduce((total, day) => total + wageBetween(day.from, day.to, policy).toNumber(), 0)
    expect(sum).toBeCloseTo(wageBetween(start + 1000, start + 10 * 86_400 + 5, policy).toNumber(), 6)
    expect(wageBetween(0, start + 100 * month, policy).toNumber()).toBe(2_700_000)
    expect(wageBetween(start + 6 * month, start + 7 * month, policy).toNumber()).toBe(0)
    expect(wageBetween(start, start + month, { ...policy, wageFrom: null }).toNumber()).toBe(0)
  })
})

describe('a statement', () => {
  it('withholds the wage of a compute node that was gone for three days, and says so', () => {
    const gone = {
      ...registry,
      resource_nodes: registry.resource_nodes.map((node, index) =>
        index === 0 ? { ...node, inactive_since: 1_000_000 } : node,
      ),
    }
    const from = Date.parse('2026-06-01T00:00:00Z') / 1000
    const wage = wageShares({ from, to: from + 86_400 }, gone, policy)
    const owner = '0x2121212121212121212121212121212121212121'
    const late = rewardStatement([wage], { registry: gone, height: 1_000_000 + 3 * 7_130 }, policy)
    expect(late.rewards.get(owner)).toBe(late.slashed.get(owner))
    expect(late.paid.has(owner)).toBe(false)
    expect(late.slashedShares).toHaveLength(1)
    const early = rewardStatement([wage], { registry: gone, height: 1_000_000 + 3 * 7_130 - 1 }, policy)
    expect(early.paid.get(owner)).toBe(early.rewards.get(owner))
  })

  it('pays nobody less than the smallest payout', () => {
    const dust = { stream: 'credit_revenue', work: 'storage', creditPriceAleph: 0.0001 } as const
    const shares = creditRevenueShares({ ...dust, credits: [{ amount: 100, nodeId: null }] }, registry)
    expect(rewardStatement([shares], { registry, height: 1 }, policy).rewards.size).toBe(0)
  })
})

it('never gives more than there was, and accounts for every bit of it', () => {
  const credit = fc.record({
    amount: fc.integer({ min: 1, max: 1e9 }),
    nodeId: fc.constantFrom(null, 'unknown', ...registry.resource_nodes.map(({ hash }) => hash)),
  })
  fc.assert(
    fc.property(
      fc.array(credit, { minLength: 1, maxLength: 20 }),
      fc.constantFrom('execution' as const, 'storage' as const),
      fc.double({ min: 1e-7, max: 1, noNaN: true }),
      (credits, work, creditPriceAleph) => {
        const result = creditRevenueShares(
          { stream: 'credit_revenue', work, creditPriceAleph, credits },
          registry,
        )
        const worth = credits.reduce((sum, { amount }) => sum + amount, 0) * creditPriceAleph
        expect(totalOf(result) / worth).toBeCloseTo(1, 10)
        const { paid } = rewardStatement([result], { registry, height: 1 }, policy)
        const payout = [...paid.values()].reduce((sum, amount) => sum + Number(amount), 0)
        expect(payout).toBeLessThanOrEqual(worth * (1 + 1e-12))
      },
    ),
  )
})

function totalOf({ shares, unallocated, devFund }: RewardShares): number {
  const amounts = [...shares, ...unallocated].map(({ amount }) => amount)
  return amounts.reduce((sum, amount) => sum.add(amount), devFund).toNumber()
}
