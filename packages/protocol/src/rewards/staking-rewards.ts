import type { ComputeNode, CorechannelAggregate, CoreNode } from '../aggregates/corechannel.ts'
import { scoreShare } from '../placement/node-weight.ts'
import { Amount, zero } from '../pricing/decimal.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'
import { noShares, type RewardShares, rewardAddress, stakerAddress } from './reward-share.ts'

const alephPerDay = 15_000
const mostPaid = 5
/** Core nodes of the first days earn a quarter more, and less of it with every block. */
const bonus = { modifier: 1.25, decayPerBlock: 1e-7 }

/** A stretch of the chain in which the registry did not change. */
export interface StakingInterval {
  blocks: number
  /** Block at its end. */
  height: number
}

/**
 * The rewards of the first kind (protocol 06 §5.1). They were paid until 2026; auditors and dashboards still read them.
 */
export function stakingShares(
  registry: CorechannelAggregate,
  { blocks, height }: StakingInterval,
  profile: NetworkProfile,
): RewardShares {
  const days = new Amount(blocks).div(profile.rewards.blocksPerDay)
  const result = noShares()
  const active = registry.nodes.filter((node) => node.status === 'active')
  if (active.length === 0) return result
  const pool = stakersPool(active.length).mul(days)
  const totalStake = active.flatMap(stakesOf).reduce((sum, [, stake]) => sum.add(stake), zero)
  const perNode = new Amount(alephPerDay).div(active.length).mul(days)
  const computeNodes = new Map(registry.resource_nodes.map((node) => [node.hash, node]))
  for (const node of active) {
    const paid = paidNodes(node, computeNodes)
    const linkage = Amount.min(1, new Amount(7 + paid.length).div(10))
    const keeps = linkage.mul(scoreShare(node.score))
    for (const computeNode of paid) {
      const amount = computeNodePay(computeNode).mul(days)
      result.shares.push({
        ...staking,
        role: 'crn',
        node: computeNode.hash,
        address: rewardAddress(computeNode),
        amount,
      })
    }
    const amount = perNode.mul(bonusOf(node, height - profile.registry.bonusUntilHeight)).mul(keeps)
    result.shares.push({ ...staking, role: 'ccn', node: node.hash, address: rewardAddress(node), amount })
    for (const [staker, stake] of stakesOf(node)) {
      if (totalStake.isZero()) continue
      const amount = new Amount(stake).div(totalStake).mul(pool).mul(keeps)
      result.shares.push({
        ...staking,
        role: 'staker',
        node: node.hash,
        address: stakerAddress(staker),
        amount,
      })
    }
  }
  return result
}

const staking = { stream: 'staking', work: null } as const

/** ALEPH a day for all stakers together, with so many active core nodes. */
export function stakersPool(activeNodes: number): Amount {
  return new Amount(Amount.log10(activeNodes)).add(1).div(3).mul(alephPerDay)
}

function stakesOf(node: CoreNode): [string, number][] {
  return Object.entries(node.stakers)
}

/** The compute nodes of a core node that are paid: the best five, in an order that everybody finds again. */
function paidNodes(node: CoreNode, computeNodes: Map<string, ComputeNode>): ComputeNode[] {
  return node.resource_nodes
    .flatMap((hash) => computeNodes.get(hash) ?? [])
    .filter(({ score }) => scoreShare(score).gt(0))
    .sort((a, b) => scoreShare(b.score).cmp(scoreShare(a.score)) || (a.hash < b.hash ? -1 : 1))
    .slice(0, mostPaid)
}

/** ALEPH a day. */
function computeNodePay({ decentralization, score }: ComputeNode): Amount {
  const perMonth = new Amount(1250).mul(decentralization).add(250)
  const daysPerMonth = new Amount(365).div(12)
  return perMonth.div(daysPerMonth).mul(scoreShare(score))
}

function bonusOf({ has_bonus }: CoreNode, blocksSince: number): Amount {
  if (!has_bonus) return new Amount(1)
  return Amount.max(1, new Amount(bonus.modifier).sub(new Amount(blocksSince).mul(bonus.decayPerBlock)))
}
