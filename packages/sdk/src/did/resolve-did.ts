import { addressKey, DidError, didResolution, failedDidResolution, parseDid } from '@aleph-ts/protocol'
import type { DIDResolutionResult, DIDResolver } from 'did-resolver'
import { getAggregate } from '../aggregate/get-aggregate.ts'
import type { ClientContext } from '../client/client-context.ts'

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
    const account = parseDid(did)
    const owner = addressKey(account.chain, account.address)
    return didResolution(account, await getAggregate(context, owner, 'security', options))
  } catch (error) {
    if (error instanceof DidError) return failedDidResolution(error)
    return {
      didResolutionMetadata: { error: 'internalError', message: (error as Error).message },
      didDocument: null,
      didDocumentMetadata: {},
    }
  }
}
