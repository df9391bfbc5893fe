import { Amount, zero } from '../pricing/decimal.ts'
import { devFundPercent } from './credit-revenue.ts'
import type { PeriodRewards, RewardDetails } from './period-rewards.ts'
import type { RewardPolicy } from './reward-policy.ts'
import type { RewardRole, RewardStream, RewardWork } from './reward-share.ts'

/** One batch transfer of a distribution. */
export interface RewardTarget {
  success: boolean
  status: 'pending' | 'success' | 'failed'
  tx: string
  nonce: number
  chain: string
  sender: string
  /** ALEPH by address. */
  targets: Record<string, number>
  total: number
  /** The same in units of 10⁻¹⁸, as text. */
  contract_total: string
}

export const distributionPostType = 'credit-rewards-distribution'

/**
 * Content of the post that tells about the rewards of a period (protocol 06 §5.2): `calculation` before anything is
 * paid, `distribution` with the transactions that paid it. `rewards` are before slashing; paid is the difference.
 */
export function distributionContent(
  { rewards, details }: { rewards: PeriodRewards; details: RewardDetails },
  policy: RewardPolicy,
  outcome: { status: 'calculation' | 'distribution'; startHeight: number; targets: RewardTarget[] },
) {
  const { status, startHeight, targets } = outcome
  return {
    incentive: 'credits',
    status,
    tags: [status, 'credits', 'mainnet'],
    start_height: startHeight,
    end_height: rewards.height,
    start_time: rewards.from,
    end_time: rewards.to,
    rewards: numbers(rewards.rewards),
    slashed: numbers(rewards.slashed),
    slashed_meta: slashedMeta(details, policy),
    credit_revenue_totals: revenueTotals(details, 'credit_revenue'),
    holder_tier_totals: { ...revenueTotals(details, 'holder_tier'), included: true },
    wage_subsidy: wageTotals(rewards, details, policy),
    total: totals(rewards, details),
    feature_flags: { credit_revenue: true, wage: true, holder_tier: true, transfer: true, publish: true },
    sources: ['credit_revenue', 'wage_subsidy', 'holder_tier'],
    targets,
  }
}

function slashedMeta({ slashed }: RewardDetails, policy: RewardPolicy) {
  return {
    enabled: true,
    threshold_days: policy.slashAfterBlocks / policy.blocksPerDay,
    retroactive: true,
    streams: ['wage_subsidy'],
    nodes: slashed.map(({ node, address, stream, amount, inactiveSince }) => ({
      node_id: node,
      address,
      stream,
      amount: amount.toNumber(),
      inactive_since: inactiveSince,
    })),
  }
}

function revenueTotals({ shares, unallocated }: RewardDetails, stream: RewardStream) {
  const lost = unallocated.filter((share) => share.stream === stream)
  const lostBy = (role: RewardRole) => {
    const sums: Record<string, number> = {}
    for (const { role: of, key, amount } of lost) {
      if (of === role) sums[key] = new Amount(sums[key] ?? 0).add(amount).toNumber()
    }
    return sums
  }
  const all = [...shares, ...unallocated].filter((share) => share.stream === stream)
  const ofWork = (work: RewardWork) => whole(sum(all, (share) => share.work === work)).toNumber()
  const ofRole = (role: RewardRole) => sum(lost, (share) => share.role === role).toNumber()
  return {
    storage_total_aleph: ofWork('storage'),
    execution_total_aleph: ofWork('execution'),
    dev_fund_total_aleph: whole(sum(all, () => true))
      .mul(devFundPercent)
      .div(100)
      .toNumber(),
    unallocated_aleph: sum(lost, () => true).toNumber(),
    unallocated_crn_aleph: ofRole('crn'),
    unallocated_crn_by_node_id: lostBy('crn'),
    unallocated_ccn_aleph: ofRole('ccn'),
    unallocated_ccn_by_id: lostBy('ccn'),
    unallocated_staker_aleph: ofRole('staker'),
    unallocated_staker_by_id: lostBy('staker'),
  }
}

const monthSeconds = 30 * 86_400

function wageTotals({ from, to }: PeriodRewards, details: RewardDetails, { wageFrom }: RewardPolicy) {
  const months = (time: number) => (wageFrom === null ? 0 : Math.max(0, (time - wageFrom) / monthSeconds))
  const lost = details.unallocated.filter(({ stream }) => stream === 'wage_subsidy')
  const split = roles(details, 'wage_subsidy')
  const unallocated = sum(lost, () => true).toNumber()
  return {
    start_t_months: months(from),
    end_t_months: months(to),
    period_total_aleph: new Amount(split.ccn).add(split.crn).add(split.staker).add(unallocated).toNumber(),
    unallocated_aleph: unallocated,
    split,
  }
}

function totals({ bySource }: PeriodRewards, details: RewardDetails) {
  const { credit_revenue, holder_tier, wage_subsidy } = numbers(bySource)
  const aleph = new Amount(bySource.credit_revenue).add(bySource.holder_tier).add(bySource.wage_subsidy)
  return {
    totals: { aleph: aleph.toNumber() },
    bySource: { credit_revenue, holder_tier, wage_subsidy },
    full: {
      credit_revenue: works(details, 'credit_revenue'),
      holder_tier: works(details, 'holder_tier'),
      wage_subsidy: roles(details, 'wage_subsidy'),
    },
  }
}

function works({ shares }: RewardDetails, stream: RewardStream) {
  const of = (work: RewardWork, role: RewardRole) =>
    sum(shares, (share) => share.stream === stream && share.work === work && share.role === role).toNumber()
  return {
    execution_ccn: of('execution', 'ccn'),
    execution_crn: of('execution', 'crn'),
    execution_staker: of('execution', 'staker'),
    storage_ccn: of('storage', 'ccn'),
    storage_staker: of('storage', 'staker'),
  }
}

function roles({ shares }: RewardDetails, stream: RewardStream) {
  const of = (role: RewardRole) =>
    sum(shares, (share) => share.stream === stream && share.role === role).toNumber()
  return { ccn: of('ccn'), crn: of('crn'), staker: of('staker') }
}

function sum<T extends { amount: Amount }>(shares: readonly T[], counts: (share: T) => boolean): Amount {
  let total = zero
  for (const share of shares) if (counts(share)) total = total.add(share.amount)
  return total
}

/** A revenue, of which development keeps its part, by what is left of it. */
function whole(rest: Amount): Amount {
  return rest.mul(100).div(100 - devFundPercent)
}

/** Readers of these posts expect JSON numbers. */
function numbers<K extends string>(amounts: Record<K, string>): Record<K, number> {
  return Object.fromEntries(
    Object.entries<string>(amounts).map(([key, amount]) => [key, Number(amount)]),
  ) as Record<K, number>
}
