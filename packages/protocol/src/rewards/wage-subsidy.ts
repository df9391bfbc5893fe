import type { CorechannelAggregate } from '../aggregates/corechannel.ts'
import { scoreShare } from '../placement/node-weight.ts'
import { Amount, zero } from '../pricing/decimal.ts'
import type { RewardPolicy } from './reward-policy.ts'
import {
  inProportion,
  noShares,
  type RewardRole,
  type RewardShares,
  rewardAddress,
  stakerAddress,
} from './reward-share.ts'

const monthSeconds = 30 * 86_400

/**
 * ALEPH of wage subsidy between two times, epoch seconds: the integral of a rate that falls in a straight line to
 * nothing (protocol 06 §5.2 c).
 */
export function wageBetween(from: number, to: number, policy: RewardPolicy): Amount {
  const spent = cumulativeWage(to, policy).sub(cumulativeWage(from, policy))
  return spent.isNegative() ? zero : spent
}

function cumulativeWage(time: number, { wageFrom, wageFirstMonth, wageMonths }: RewardPolicy): Amount {
  if (wageFrom === null || wageMonths === 0) return zero
  const months = Amount.min(Amount.max(new Amount(time).sub(wageFrom).div(monthSeconds), 0), wageMonths)
  return months.sub(months.mul(months).div(2 * wageMonths)).mul(wageFirstMonth)
}

/** Cuts a period into UTC days; the first and the last may be shorter. Epoch seconds. */
export function utcDays(from: number, to: number): { from: number; to: number }[] {
  const days: { from: number; to: number }[] = []
  let start = from
  while (start < to) {
    const end = Math.min(to, (Math.floor(start / 86_400) + 1) * 86_400)
    days.push({ from: start, to: end })
    start = end
  }
  return days
}

/** Who earns the wage subsidy of (a part of) one UTC day, with the nodes as they were registered at its end. */
export function wageShares(
  day: { from: number; to: number },
  registry: CorechannelAggregate,
  policy: RewardPolicy,
): RewardShares {
  const result = noShares()
  const third = wageBetween(day.from, day.to, policy).div(3)
  const active = registry.nodes.filter((node) => node.status === 'active')
  const linked = registry.resource_nodes.filter((node) => node.status === 'linked')
  const byScore = <T extends { score: number }>(nodes: T[]) =>
    nodes.map((to) => ({ to, weight: scoreShare(to.score) }))
  const stakes = active.flatMap((node) =>
    Object.entries(node.stakers).map(([staker, stake]) => ({
      to: { hash: node.hash, address: stakerAddress(staker) },
      weight: new Amount(stake),
    })),
  )
  give(result, 'ccn', third, byScore(active).map(toReceiver))
  give(result, 'crn', third, byScore(linked).map(toReceiver))
  give(result, 'staker', third, stakes)
  return result
}

interface Receiver {
  hash: string
  address: string | null
}

function toReceiver({ to, weight }: { to: { hash: string; reward: string; owner: string }; weight: Amount }) {
  return { to: { hash: to.hash, address: rewardAddress(to) }, weight }
}

function give(
  result: RewardShares,
  role: RewardRole,
  amount: Amount,
  parts: { to: Receiver; weight: Amount }[],
): void {
  const given = inProportion(amount, parts)
  if (given.length === 0 && !amount.isZero()) {
    result.unallocated.push({ stream: 'wage_subsidy', work: null, role, key: `no ${role}`, amount })
  }
  for (const { to, amount } of given) {
    result.shares.push({
      stream: 'wage_subsidy',
      work: null,
      role,
      node: to.hash,
      address: to.address,
      amount,
    })
  }
}
