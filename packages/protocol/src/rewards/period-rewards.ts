import type { CorechannelAggregate } from '../aggregates/corechannel.ts'
import { type Amount, cut, zero } from '../pricing/decimal.ts'
import { creditRevenueShares } from './credit-revenue.ts'
import type { ExpenseRevenue } from './expense-revenue.ts'
import type { RewardPolicy } from './reward-policy.ts'
import {
  type RewardShare,
  type RewardShares,
  type RewardStream,
  sumOf,
  type UnallocatedShare,
} from './reward-share.ts'
import { rewardStatement, type SlashedShare } from './reward-statement.ts'
import { utcDays, wageShares } from './wage-subsidy.ts'

/** From the first moment up to the second, which is not in it; epoch seconds. */
export interface RewardPeriod {
  from: number
  to: number
}

/** A moment at which something was earned: by the nodes that were registered then. */
export interface RewardMoment {
  /** Epoch seconds. */
  time: number
  earned: (registry: CorechannelAggregate) => RewardShares[]
}

/**
 * The rewards of a period, as everybody computes them from the same messages. Amounts are ALEPH as decimal text with
 * 18 decimals, addresses EIP-55, and
 * `total = Σ paid + Σ slashed + unallocated + devFund + kept` to the last unit.
 */
export interface PeriodRewards extends RewardPeriod {
  /** Block as of which the registry closed the period. */
  height: number
  total: string
  unallocated: string
  devFund: string
  /** Payouts that are too small, and what is lost in rounding. */
  kept: string
  /** By address: before slashing, withheld, and what is paid. */
  rewards: Record<string, string>
  slashed: Record<string, string>
  paid: Record<string, string>
  bySource: Record<RewardStream, string>
}

/** Every reason behind {@link PeriodRewards}. */
export interface RewardDetails {
  shares: RewardShare[]
  slashed: SlashedShare[]
  unallocated: UnallocatedShare[]
}

/** The moments of a period at which something was earned, in their order (protocol 06 §5.2). */
export function rewardMoments(
  period: RewardPeriod,
  expenses: readonly ExpenseRevenue[],
  policy: RewardPolicy,
): RewardMoment[] {
  const days = utcDays(period.from, period.to).map(
    (day): RewardMoment => ({
      time: day.to,
      earned: (registry) => [wageShares(day, registry, policy)],
    }),
  )
  const ends = expenses
    .filter(({ endTime }) => endTime >= period.from && endTime < period.to)
    .sort((a, b) => a.endTime - b.endTime || (a.itemHash < b.itemHash ? -1 : 1))
    .map(
      ({ endTime, revenues }): RewardMoment => ({
        time: endTime,
        earned: (registry) => revenues.map((revenue) => creditRevenueShares(revenue, registry)),
      }),
    )
  return [...ends, ...days].sort((a, b) => a.time - b.time)
}

/**
 * Sums up what was earned in a period.
 *
 * @param close the registry when the period closed, and the block of that moment
 */
export function periodRewards(
  period: RewardPeriod,
  streams: readonly RewardShares[],
  close: { registry: CorechannelAggregate; height: number },
  policy: RewardPolicy,
): { rewards: PeriodRewards; details: RewardDetails } {
  const statement = rewardStatement(streams, close, policy)
  const unallocatedShares = streams.flatMap((stream) => stream.unallocated)
  const unallocated = cut(sumOf(unallocatedShares).add(sumOf(statement.shares.filter(hasNobody))))
  const devFund = cut(sumOf(streams.map((stream) => ({ amount: stream.devFund }))))
  const earned = sumOf(statement.shares).add(sumOf(unallocatedShares))
  const total = cut(earned.add(sumOf(streams.map((stream) => ({ amount: stream.devFund })))))
  const given = [...statement.paid.values(), ...statement.slashed.values()]
  const kept = given.reduce((rest, amount) => rest.sub(amount), total.sub(unallocated).sub(devFund))
  const rewards: PeriodRewards = {
    from: period.from,
    to: period.to,
    height: close.height,
    total: total.toFixed(18),
    unallocated: unallocated.toFixed(18),
    devFund: devFund.toFixed(18),
    kept: kept.toFixed(18),
    rewards: Object.fromEntries(statement.rewards),
    slashed: Object.fromEntries(statement.slashed),
    paid: Object.fromEntries(statement.paid),
    bySource: sumsBySource(statement.shares),
  }
  const details = {
    shares: statement.shares,
    slashed: statement.slashedShares,
    unallocated: unallocatedShares,
  }
  return { rewards, details }
}

function hasNobody({ address }: RewardShare): boolean {
  return address === null
}

function sumsBySource(shares: readonly RewardShare[]): Record<RewardStream, string> {
  const sums: Record<RewardStream, Amount> = {
    credit_revenue: zero,
    holder_tier: zero,
    wage_subsidy: zero,
    staking: zero,
  }
  for (const { stream, amount } of shares) sums[stream] = sums[stream].add(amount)
  return Object.fromEntries(
    Object.entries(sums).map(([stream, amount]) => [stream, cut(amount).toFixed(18)]),
  ) as Record<RewardStream, string>
}
