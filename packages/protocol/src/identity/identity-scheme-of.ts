import { formatError } from '../errors/protocol-error.ts'
import { type Chain, chains, signatureScheme } from '../message/chains.ts'
import { type IdentityScheme, identitySchemes } from './identity-schemes.ts'

/**
 * How the accounts of a chain sign.
 *
 * @throws {ProtocolError} INVALID_FORMAT when signatures of the chain are not taken.
 */
export function identitySchemeOf(chain: Chain): IdentityScheme {
  const scheme = signatureScheme(chain)
  if (scheme === null) {
    throw formatError(`chain: signatures of ${chain} (${chains[chain].name}) are not taken by the network`)
  }
  return identitySchemes[scheme]
}
