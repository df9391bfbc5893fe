import type { Chain } from '../message/chains.ts'
import { accountId } from './account-id.ts'
import { type DelegateLimits, delegatesOf } from './delegates.ts'
import { DidError } from './did-error.ts'
import { formatDid } from './did-pkh.ts'
import { type AccountMethod, accountMethod, methodContext } from './verification-method.ts'

/** A verification method of a DID document (W3C DID Core §5.2). */
export interface DidVerificationMethod extends AccountMethod {
  id: string
  /** The DID itself, or the DID of a delegate. */
  controller: string
  /** Present on delegates: what they may do. */
  alephAuthorization?: DelegateLimits
}

/** A DID document (W3C DID Core); relationships hold the ids of methods. */
export interface DidDocument {
  '@context': (string | Record<string, unknown>)[]
  id: string
  verificationMethod: DidVerificationMethod[]
  authentication: string[]
  assertionMethod: string[]
  capabilityInvocation: string[]
  capabilityDelegation: string[]
}

/**
 * The DID document of an account.
 *
 * The account alone stands under `authentication`, `assertionMethod` and `capabilityDelegation`: nobody else is it,
 * speaks in its name elsewhere or names delegates. Under `capabilityInvocation`, the relationship for acting with
 * somebody's rights, its delegates stand beside it, each a method whose `controller` is the delegate's own DID and
 * whose `alephAuthorization` holds the limits.
 *
 * @param security content of the account's `security` aggregate, any JSON, null when there is none
 * @throws {DidError} invalid_did when the address is not an account of the chain.
 */
export function didDocument(address: string, chain: Chain, security: unknown): DidDocument {
  const did = formatDid(chain, address)
  const own: DidVerificationMethod = {
    id: `${did}#blockchainAccountId`,
    controller: did,
    ...methodOf(chain, address),
  }
  const delegates = delegatesOf(chain, address, security).map(
    (delegate, index): DidVerificationMethod => ({
      id: `${did}#delegate-${index + 1}`,
      controller: formatDid(delegate.chain, delegate.address),
      ...methodOf(delegate.chain, delegate.address),
      alephAuthorization: delegate.limits,
    }),
  )
  return {
    '@context': ['https://www.w3.org/ns/did/v1', contextOf([own, ...delegates])],
    id: did,
    verificationMethod: [own, ...delegates],
    authentication: [own.id],
    assertionMethod: [own.id],
    capabilityInvocation: [own, ...delegates].map(({ id }) => id),
    capabilityDelegation: [own.id],
  }
}

function methodOf(chain: Chain, address: string): AccountMethod {
  const id = accountId(chain, address)
  if (id === null) throw new DidError('invalid_did', `address: not an account of ${chain}`)
  return accountMethod(chain, address, id)
}

/** The meaning of every term that `did/v1` does not define. */
function contextOf(methods: DidVerificationMethod[]): Record<string, unknown> {
  const context: Record<string, unknown> = {
    blockchainAccountId: 'https://w3id.org/security#blockchainAccountId',
  }
  for (const method of methods) {
    context[method.type] = methodContext[method.type]
    if (method.publicKeyBase58) context.publicKeyBase58 = 'https://w3id.org/security#publicKeyBase58'
    if (method.alephAuthorization) {
      context.alephAuthorization = { '@id': 'urn:aleph:authorization', '@type': '@json' }
    }
  }
  return context
}
