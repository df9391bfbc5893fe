import type { Chain } from '../message/chains.ts'
import { accountId, parseAccountId } from './account-id.ts'
import { DidError } from './did-error.ts'

const method = 'did:pkh:'
/** More than any account id has; longer text is not looked at. */
const longestDid = 256

/**
 * The `did:pkh` of an account, with the address exactly as given: pass `addressKey(chain, address)` for the one
 * form that stands for all ways to write an EVM address.
 *
 * @throws {DidError} invalid_did when the address is not an account of the chain.
 */
export function formatDid(chain: Chain, address: string): string {
  const id = accountId(chain, address)
  if (id === null) throw new DidError('invalid_did', `address: not an account of ${chain}`)
  return method + id
}

/**
 * The account of a `did:pkh`, by the first chain code that stands for its chain.
 *
 * @throws {DidError} invalid_did, unsupported_method when it is no `did:pkh`, unsupported_chain when no chain of the
 * network has it.
 */
export function parseDid(did: string): { chain: Chain; address: string } {
  if (did.length <= longestDid && /^did:[a-z0-9]+:.+$/.test(did) && !did.startsWith(method)) {
    throw new DidError('unsupported_method', 'did: only did:pkh is resolved here')
  }
  if (did.length > longestDid || !/^did:pkh:[^:]+:[^:]+:[^:]+$/.test(did)) {
    throw new DidError('invalid_did', 'did: expected did:pkh:NAMESPACE:REFERENCE:ADDRESS')
  }
  const account = parseAccountId(did.slice(method.length))
  if (account !== null) return account
  throw new DidError('unsupported_chain', 'did: not an account of any chain of the network')
}
