import { ProtocolError } from '../errors/protocol-error.ts'
import { addressKey } from '../identity/address-key.ts'
import { balancesPostType, readBalancesUpdate } from '../posts/balances-update.ts'
import { Amount } from '../pricing/decimal.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'
import { type Ignored, ignored } from './operations/operation.ts'
import {
  type BalanceEvent,
  type NodeScore,
  type OperationEvent,
  type RegistryAction,
  type RegistryEvent,
  registryActions,
  type ScoreEvent,
} from './registry-event.ts'
import type { RegistryPolicy } from './registry-policy.ts'

export const registryPostType = 'corechan-operation'
export const scorePostType = 'aleph-scoring-scores'

/** A POST message as far as the registry reads it. */
export interface RegistryPost {
  itemHash: string
  /** `content.address`. */
  address: string
  /** `content.type`. */
  type: string
  ref: string | null
  /** `content.time`, epoch seconds. */
  time: number
  /** Ethereum block of its first confirmation. */
  height: number
  content: unknown
}

/**
 * What a post says to the registry, or why it says nothing. Operations are of whoever `content.address` names; scores
 * and balances count when a sender signed them whom the network believes (protocol 06 §2.2).
 */
export function readRegistryPost(
  post: RegistryPost & { sender: string },
  { addresses, registry }: Pick<NetworkProfile, 'addresses' | 'registry'>,
): RegistryEvent | Ignored {
  const believed = (senders: readonly string[]) =>
    senders.some((each) => addressKey('ETH', each) === addressKey('ETH', post.sender))
  if (post.type === scorePostType && !believed(addresses.scores)) {
    return ignored('not_believed', `${post.sender} gives no scores in this network`)
  }
  if (post.type === balancesPostType && !believed(addresses.balances)) {
    return ignored('not_believed', `${post.sender} reports no balances in this network`)
  }
  const event = readerOf(post.type)(post, registry)
  return typeof event === 'string' ? ignored('malformed', event) : event
}

function readerOf(type: string): (post: RegistryPost, policy: RegistryPolicy) => RegistryEvent | string {
  if (type === scorePostType) return readScores
  return type === balancesPostType ? readBalances : readOperation
}

/**
 * Reads a post as a registry operation (protocol 06 §2.1): an amend says by its type what it does, though some clients
 * say it by the action.
 *
 * @returns why it is none, as text
 */
export function readOperation(post: RegistryPost, policy: RegistryPolicy): OperationEvent | string {
  const { itemHash, address, type, ref, time, height } = post
  if (type !== registryPostType && type !== 'amend') return `type: not ${registryPostType}`
  const content = tagged(post, policy)
  if (typeof content === 'string') return content
  const action = type === 'amend' ? 'amend' : content.action
  if (!isAction(action)) return `action: not one of ${registryActions.join(', ')}`
  const details = content.details ?? {}
  if (!isObject(details)) return 'details: must be an object'
  return {
    kind: 'operation',
    itemHash,
    address: addressKey('ETH', address),
    action,
    ref,
    time,
    height,
    details,
  }
}

/** Reads a post as scores; whether its sender is believed is the caller's to know. */
export function readScores(post: RegistryPost, policy: RegistryPolicy): ScoreEvent | string {
  if (post.type !== scorePostType) return `type: not ${scorePostType}`
  const content = tagged(post, policy)
  if (typeof content === 'string') return content
  if (!isObject(content.scores)) return 'scores: must be an object'
  const { itemHash, time, height } = post
  const { ccn, crn } = content.scores
  return {
    kind: 'scores',
    itemHash,
    time,
    height,
    coreNodes: scoresOf(ccn),
    computeNodes: scoresOf(crn),
  }
}

/**
 * Reads a post as the balances of a platform that secures nodes and stakes besides the token's own transfers
 * (protocol 06 §2.2): it stands at the height it names, or at a higher one that a report before it named
 * (`post.height`), and whoever it leaves out has nothing there.
 */
export function readBalances(post: RegistryPost, policy: RegistryPolicy): BalanceEvent | string {
  const content = tagged(post, policy)
  if (typeof content === 'string') return content
  const { platform } = content
  if (typeof platform !== 'string' || !policy.balancePlatforms.includes(platform)) {
    return `platform: not one of ${policy.balancePlatforms.join(', ')}`
  }
  try {
    const { main_height, balances } = readBalancesUpdate(content)
    return {
      kind: 'balances',
      platform,
      mode: 'replace',
      height: Math.max(post.height, main_height),
      time: 0,
      itemHash: '',
      balances: new Map(
        Object.entries(balances).map(([address, aleph]) => [addressKey('ETH', address), unitsOf(aleph)]),
      ),
    }
  } catch (error) {
    if (error instanceof ProtocolError) return error.message
    throw error
  }
}

/** Whole units of 10⁻¹⁸ ALEPH in a decimal text. */
function unitsOf(aleph: string): bigint {
  return BigInt(new Amount(aleph).mul('1e18').floor().toFixed())
}

function tagged({ content }: RegistryPost, policy: RegistryPolicy): Record<string, unknown> | string {
  if (!isObject(content)) return 'content: must be an object'
  const { tags } = content
  if (Array.isArray(tags) && policy.tags.some((tag) => tags.includes(tag))) return content
  return `tags: must have one of ${policy.tags.join(', ')}`
}

function scoresOf(rows: unknown): NodeScore[] {
  if (!Array.isArray(rows)) return []
  return rows.flatMap((row) => {
    if (!isObject(row) || typeof row.node_id !== 'string' || !isNumber(row.total_score)) return []
    return {
      nodeId: row.node_id,
      totalScore: row.total_score,
      performance: isNumber(row.performance) ? row.performance : 0,
      decentralization: isNumber(row.decentralization) ? row.decentralization : 0,
    }
  })
}

function isAction(value: unknown): value is RegistryAction {
  return registryActions.includes(value as RegistryAction)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
