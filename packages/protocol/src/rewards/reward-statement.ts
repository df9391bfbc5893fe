import type { CorechannelAggregate } from '../aggregates/corechannel.ts'
import { Amount, cut, zero } from '../pricing/decimal.ts'
import type { RewardPolicy } from './reward-policy.ts'
import type { RewardShare, RewardShares, RewardStream } from './reward-share.ts'

/** A share that is earned but withheld, because its compute node was gone when the period closed. */
export interface SlashedShare extends RewardShare {
  inactiveSince: number
}

/** What a period pays, with the reasons (protocol 06 §5.2). Amounts are decimal text with 18 decimals, ALEPH. */
export interface RewardStatement {
  /** By EIP-55 address, before slashing, without those below the smallest payout. */
  rewards: Map<string, string>
  /** By address: what is withheld of it. */
  slashed: Map<string, string>
  /** By address: what is paid. */
  paid: Map<string, string>
  shares: RewardShare[]
  slashedShares: SlashedShare[]
}

/**
 * Sums up the shares of a period.
 *
 * @param close the registry when the period closed, and the block of that moment
 */
export function rewardStatement(
  streams: readonly RewardShares[],
  close: { registry: CorechannelAggregate; height: number },
  policy: RewardPolicy,
  slashedStreams: readonly RewardStream[] = ['wage_subsidy'],
): RewardStatement {
  const shares = streams.flatMap((stream) => stream.shares)
  const slashedShares = findSlashed(shares, close, policy, slashedStreams)
  const earned = sumByAddress(shares)
  const withheld = sumByAddress(slashedShares)
  const statement: RewardStatement = {
    rewards: new Map(),
    slashed: new Map(),
    paid: new Map(),
    shares,
    slashedShares,
  }
  for (const address of [...earned.keys()].sort()) {
    const reward = cut(earned.get(address)!)
    if (reward.lt(policy.leastPayout) || reward.isZero()) continue
    const less = Amount.min(reward, cut(withheld.get(address) ?? zero))
    const payout = reward.sub(less)
    statement.rewards.set(address, reward.toFixed(18))
    if (less.gt(0)) statement.slashed.set(address, less.toFixed(18))
    if (payout.gt(0)) statement.paid.set(address, payout.toFixed(18))
  }
  return statement
}

function findSlashed(
  shares: RewardShare[],
  { registry, height }: { registry: CorechannelAggregate; height: number },
  policy: RewardPolicy,
  streams: readonly RewardStream[],
): SlashedShare[] {
  const gone = new Map<string, number>()
  for (const { hash, inactive_since } of registry.resource_nodes) {
    if (inactive_since !== null && height - inactive_since >= policy.slashAfterBlocks) {
      gone.set(hash, inactive_since)
    }
  }
  return shares.flatMap((share) => {
    const inactiveSince = share.role === 'crn' ? gone.get(share.node) : undefined
    return inactiveSince === undefined || !streams.includes(share.stream) ? [] : { ...share, inactiveSince }
  })
}

function sumByAddress(shares: readonly RewardShare[]): Map<string, Amount> {
  const sums = new Map<string, Amount>()
  for (const { address, amount } of shares) {
    if (address !== null) sums.set(address, (sums.get(address) ?? zero).add(amount))
  }
  return sums
}
