import {
  type NodeScore,
  type OperationEvent,
  type RegistryAction,
  registryActions,
  type ScoreEvent,
} from './registry-event.ts'
import type { RegistryPolicy } from './registry-policy.ts'

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

export const registryPostType = 'corechan-operation'
export const scorePostType = 'aleph-scoring-scores'

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
  return { kind: 'operation', itemHash, address, action, ref, time, height, details }
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
