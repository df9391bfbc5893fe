import {
  addressKey,
  type Chain,
  type DidDocument,
  DidError,
  didDocument,
  formatDid,
  parseDid,
} from '@aleph-ts/protocol'
import type { DIDResolutionResult, DIDResolver } from 'did-resolver'
import { getAggregate } from '../aggregate/get-aggregate.ts'
import type { ClientContext } from '../client/client-context.ts'

const contentType = 'application/did+ld+json'

/**
 * A resolver of `did:pkh` for the `did-resolver` library, which asks the network for the delegates of the account.
 *
 * @example
 * const resolver = new Resolver(createDidResolver(client.context))
 * const { didDocument } = await resolver.resolve('did:pkh:eip155:1:0x…')
 */
export function createDidResolver(context: ClientContext): { pkh: DIDResolver } {
  return { pkh: (did) => resolveDid(context, did) }
}

/**
 * The DID document of an account and its delegates. As DID resolution wants it, what goes wrong is told in
 * `didResolutionMetadata.error` (`invalidDid`, `methodNotSupported`, `notFound`, `internalError`) and never thrown.
 */
export async function resolveDid(
  context: ClientContext,
  did: string,
  options: { signal?: AbortSignal } = {},
): Promise<DIDResolutionResult> {
  try {
    const { chain, address } = parseDid(did)
    const owner = addressKey(chain, address)
    const document = didDocument(address, chain, await getAggregate(context, owner, 'security', options))
    return resolved(document, chain, owner)
  } catch (error) {
    return unresolved(error)
  }
}

function resolved(document: DidDocument, chain: Chain, owner: string): DIDResolutionResult {
  const canonicalId = formatDid(chain, owner)
  return {
    didResolutionMetadata: { contentType },
    didDocument: document,
    didDocumentMetadata: canonicalId === document.id ? {} : { canonicalId },
  }
}

function unresolved(error: unknown): DIDResolutionResult {
  const didError = error instanceof DidError ? error.code : undefined
  return {
    didResolutionMetadata: {
      error: didError === undefined ? 'internalError' : codes[didError],
      message: (error as Error).message,
    },
    didDocument: null,
    didDocumentMetadata: {},
  }
}

const codes = {
  invalid_did: 'invalidDid',
  unsupported_method: 'methodNotSupported',
  unsupported_chain: 'notFound',
} as const
