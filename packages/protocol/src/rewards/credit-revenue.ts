import type { CorechannelAggregate, CoreNode } from '../aggregates/corechannel.ts'
import { scoreShare } from '../placement/node-weight.ts'
import { Amount, zero } from '../pricing/decimal.ts'
import {
  inProportion,
  noShares,
  type RewardRole,
  type RewardShare,
  type RewardShares,
  rewardAddress,
  stakerAddress,
} from './reward-share.ts'

/** What the network earned with credits: an expense post as far as rewards read it (protocol 06 §5.2). */
export interface CreditRevenue {
  stream: 'credit_revenue' | 'holder_tier'
  work: 'execution' | 'storage'
  /** ALEPH a credit is worth, as in the post. */
  creditPriceAleph: number | string
  /** `nodeId`: the compute node that did the work; null for storage, or when nobody tells. */
  credits: readonly { amount: number; nodeId: string | null }[]
}

/** Percent of the revenue by whose work it was; what is missing to 100 is kept for development. */
const executionPercent = { crn: 60, ccn: 15, staker: 20 }
const storagePercent = { ccn: 75, staker: 20 }

/** Percent of every revenue that is kept for development. */
export const devFundPercent = 5

/** Key of what nobody can be paid for because the post names no node. */
export const missingNode = '__missing_node_id__'
const noActiveNodes = '__no_active_ccns__'

/**
 * Who earns how much of a credit revenue, with the nodes as they were registered at its end.
 *
 * @example
 * ```ts
 * const { shares } = creditRevenueShares({ stream: 'credit_revenue', work: 'execution', creditPriceAleph, credits }, registry)
 * ```
 */
export function creditRevenueShares(revenue: CreditRevenue, registry: CorechannelAggregate): RewardShares {
  return revenue.work === 'execution' ? executionShares(revenue, registry) : storageShares(revenue, registry)
}

function executionShares(revenue: CreditRevenue, registry: CorechannelAggregate): RewardShares {
  const result = noShares()
  const computeNodes = new Map(registry.resource_nodes.map((node) => [node.hash, node]))
  const parents = new Map<string, CoreNode>()
  for (const node of registry.nodes) for (const hash of node.resource_nodes) parents.set(hash, node)
  for (const [nodeId, credits] of creditsByNode(revenue)) {
    const worth = credits.mul(revenue.creditPriceAleph)
    const part = (percent: number) => worth.mul(percent).div(100)
    const lose = (role: RewardRole, key: string, percent: number) =>
      result.unallocated.push({ ...workOf(revenue), role, key, amount: part(percent) })
    result.devFund = result.devFund.add(part(devFundPercent))

    const computeNode = computeNodes.get(nodeId)
    if (computeNode?.status === 'linked') {
      result.shares.push(
        share(revenue, 'crn', nodeId, rewardAddress(computeNode), part(executionPercent.crn)),
      )
    } else lose('crn', nodeId, executionPercent.crn)

    const parent = parents.get(nodeId)
    if (parent?.status === 'active') {
      result.shares.push(
        share(revenue, 'ccn', parent.hash, rewardAddress(parent), part(executionPercent.ccn)),
      )
    } else lose('ccn', nodeId, executionPercent.ccn)

    const stakes =
      parent?.status === 'active' ? stakerShares(revenue, parent, part(executionPercent.staker)) : []
    result.shares.push(...stakes)
    if (stakes.length === 0) {
      lose('staker', parent?.status === 'active' ? parent.hash : nodeId, executionPercent.staker)
    }
  }
  return result
}

function storageShares(revenue: CreditRevenue, registry: CorechannelAggregate): RewardShares {
  const result = noShares()
  const worth = revenue.credits
    .reduce((sum, { amount }) => sum.add(amount), zero)
    .mul(revenue.creditPriceAleph)
  const part = (percent: number) => worth.mul(percent).div(100)
  result.devFund = part(devFundPercent)
  const eligible = registry.nodes
    .filter((node) => node.status === 'active' && scoreShare(node.score).gt(0))
    .map((node) => ({ to: node, weight: scoreShare(node.score) }))
  if (eligible.length === 0) {
    for (const role of ['ccn', 'staker'] as const) {
      result.unallocated.push({
        ...workOf(revenue),
        role,
        key: noActiveNodes,
        amount: part(storagePercent[role]),
      })
    }
    return result
  }
  for (const { to: node, amount } of inProportion(part(storagePercent.ccn), eligible)) {
    result.shares.push(share(revenue, 'ccn', node.hash, rewardAddress(node), amount))
  }
  for (const { to: node, amount } of inProportion(part(storagePercent.staker), eligible)) {
    const stakes = stakerShares(revenue, node, amount)
    result.shares.push(...stakes)
    if (stakes.length === 0) {
      result.unallocated.push({ ...workOf(revenue), role: 'staker', key: node.hash, amount })
    }
  }
  return result
}

function stakerShares(revenue: CreditRevenue, node: CoreNode, amount: Amount): RewardShare[] {
  const stakes = Object.entries(node.stakers).map(([to, stake]) => ({ to, weight: new Amount(stake) }))
  return inProportion(amount, stakes).map(({ to, amount }) =>
    share(revenue, 'staker', node.hash, stakerAddress(to), amount),
  )
}

function share(
  { stream, work }: CreditRevenue,
  role: RewardRole,
  node: string,
  address: string | null,
  amount: Amount,
): RewardShare {
  return { stream, work, role, node, address, amount }
}

function workOf({ stream, work }: CreditRevenue): Pick<CreditRevenue, 'stream' | 'work'> {
  return { stream, work }
}

function creditsByNode({ credits }: CreditRevenue): Map<string, Amount> {
  const sums = new Map<string, Amount>()
  for (const { amount, nodeId } of credits) {
    const key = nodeId ?? missingNode
    sums.set(key, (sums.get(key) ?? zero).add(amount))
  }
  return sums
}
