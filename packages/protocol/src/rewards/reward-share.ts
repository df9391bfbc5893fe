import { isEvmAddress, toChecksumAddress } from '../identity/evm.ts'
import { type Amount, zero } from '../pricing/decimal.ts'

export type RewardStream = 'credit_revenue' | 'holder_tier' | 'wage_subsidy' | 'staking'
/** What a share is earned by: running a compute node, running a core node, or staking. */
export type RewardRole = 'crn' | 'ccn' | 'staker'
/** What the work was, where streams tell. */
export type RewardWork = 'execution' | 'storage' | null

/** One reason why an address earns something: enough to explain every reward to its receiver. */
export interface RewardShare {
  stream: RewardStream
  work: RewardWork
  role: RewardRole
  /** The node that earned it, or that is staked on. */
  node: string
  /** EIP-55; null when the node names no usable address. */
  address: string | null
  amount: Amount
}

/** What was earned but has nobody to go to. */
export interface UnallocatedShare {
  stream: RewardStream
  work: RewardWork
  role: RewardRole
  /** Hash of the node, or why there is none. */
  key: string
  amount: Amount
}

/** The outcome of one stream of rewards: everything that was to be given is in here once. */
export interface RewardShares {
  shares: RewardShare[]
  unallocated: UnallocatedShare[]
  /** Kept for development. */
  devFund: Amount
}

export function noShares(): RewardShares {
  return { shares: [], unallocated: [], devFund: zero }
}

/** Where a node's rewards go: its reward address, else its owner (protocol 06 §5). */
export function rewardAddress(node: { reward?: string | null; owner: string }): string | null {
  if (node.reward && isEvmAddress(node.reward)) return toChecksumAddress(node.reward)
  return isEvmAddress(node.owner) ? toChecksumAddress(node.owner) : null
}

/** Where a staker's rewards go. */
export function stakerAddress(staker: string): string | null {
  return isEvmAddress(staker) ? toChecksumAddress(staker) : null
}

export function sumOf(amounts: Iterable<{ amount: Amount }>): Amount {
  let sum = zero
  for (const { amount } of amounts) sum = sum.add(amount)
  return sum
}

/** Cuts an amount in proportion to weights; nothing for those that weigh nothing. */
export function inProportion<T>(
  amount: Amount,
  parts: readonly { to: T; weight: Amount }[],
): { to: T; amount: Amount }[] {
  const total = parts.reduce((sum, { weight }) => sum.add(weight), zero)
  if (total.isZero()) return []
  return parts
    .filter(({ weight }) => !weight.isZero())
    .map(({ to, weight }) => ({ to, amount: amount.mul(weight).div(total) }))
}
