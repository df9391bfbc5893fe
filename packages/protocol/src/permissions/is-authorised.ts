import type { Chain } from '../message/chains.ts'
import type { MessageType } from '../message/envelope.ts'
import { authorisationEntries } from './authorisation-entries.ts'

/** The message that an authorisation's filters are held against (protocol 01 §8.2). */
export interface AuthorisationSubject {
  chain: Chain
  channel: string | null
  type: MessageType
  /** `content.type` of a POST. */
  postType?: string
  /** `content.key` of an AGGREGATE. */
  aggregateKey?: string
}

export interface AuthorisationPolicy {
  /** Only the owner writes its own `security` aggregate (protocol 01 §13 T1). Default true. */
  securitySelfOnly?: boolean
}

/** The key of the aggregate in which an address says who may act for it. */
export const securityKey = 'security'

/**
 * Whether `sender` may publish, or forget, `subject` on behalf of `owner` (protocol 01 §8.3).
 *
 * Everybody may act for themselves; for somebody else only with a matching entry in `security`, the content of
 * the owner's `security` aggregate (any JSON, null when there is none). Malformed entries never match.
 */
export function isAuthorised(
  sender: string,
  owner: string,
  subject: AuthorisationSubject,
  security: unknown,
  policy: AuthorisationPolicy = {},
): boolean {
  if (sameAddress(sender, owner)) return true
  const selfOnly = policy.securitySelfOnly ?? true
  if (selfOnly && subject.type === 'AGGREGATE' && subject.aggregateKey === securityKey) return false
  return authorisationEntries(security).some((entry) => matches(entry, sender, subject))
}

function matches(entry: Record<string, unknown>, sender: string, subject: AuthorisationSubject): boolean {
  return (
    typeof entry.address === 'string' &&
    sameAddress(entry.address, sender) &&
    (isUnset(entry.chain) || entry.chain === subject.chain) &&
    listAllows(entry.channels, subject.channel) &&
    listAllows(entry.types, subject.type) &&
    (subject.type !== 'POST' || listAllows(entry.post_types, subject.postType)) &&
    (subject.type !== 'AGGREGATE' || listAllows(entry.aggregate_keys, subject.aggregateKey))
  )
}

/** An absent or empty filter lets everything pass; one that is no list lets nothing pass. */
function listAllows(filter: unknown, value: string | null | undefined): boolean {
  if (isUnset(filter)) return true
  if (!Array.isArray(filter)) return false
  return filter.length === 0 || (value != null && filter.includes(value))
}

function isUnset(filter: unknown): boolean {
  return filter === undefined || filter === null || filter === ''
}

/** The network compares addresses of every chain without case (protocol 01 §5). */
function sameAddress(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase()
}
