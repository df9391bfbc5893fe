import { isAddress } from '../identity/account-keys.ts'
import { addressKey } from '../identity/address-key.ts'
import { type Chain, isChain } from '../message/chains.ts'
import { authorisationEntries } from '../permissions/authorisation-entries.ts'
import { chainOfAddress } from './account-id.ts'

/** What a delegate may do; a limit that is absent does not limit. All limits hold together. */
export interface DelegateLimits {
  chain?: Chain
  channels?: string[]
  types?: string[]
  postTypes?: string[]
  aggregateKeys?: string[]
}

export interface Delegate {
  chain: Chain
  address: string
  limits: DelegateLimits
}

/**
 * Who may act for an account, by its `security` aggregate (any JSON): one entry each, as several entries of one
 * delegate are alternatives. Entries that never match anybody are left out (protocol 01 §8.1).
 */
export function delegatesOf(chain: Chain, address: string, security: unknown): Delegate[] {
  const owner = addressKey(chain, address)
  return authorisationEntries(security)
    .map(readDelegate)
    .filter((delegate) => delegate !== null)
    .filter((delegate) => addressKey(delegate.chain, delegate.address) !== owner)
}

function readDelegate(entry: Record<string, unknown>): Delegate | null {
  const { address } = entry
  if (typeof address !== 'string') return null
  const limits = readLimits(entry)
  const chain = limits?.chain ?? chainOfAddress(address)
  if (limits === null || chain === null || !isAddress(chain, address)) return null
  return { chain, address, limits }
}

function readLimits(entry: Record<string, unknown>): DelegateLimits | null {
  const limits: DelegateLimits = {}
  if (isSet(entry.chain)) {
    if (!isChain(entry.chain)) return null
    limits.chain = entry.chain
  }
  for (const [name, key] of filters) {
    const values = entry[key]
    if (!isSet(values)) continue
    if (!Array.isArray(values)) return null
    if (values.length === 0) continue
    const texts = values.filter((value) => typeof value === 'string')
    if (texts.length === 0) return null
    limits[name] = texts
  }
  return limits
}

const filters = [
  ['channels', 'channels'],
  ['types', 'types'],
  ['postTypes', 'post_types'],
  ['aggregateKeys', 'aggregate_keys'],
] as const

function isSet(filter: unknown): boolean {
  return filter !== undefined && filter !== null && filter !== ''
}
