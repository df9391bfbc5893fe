import { addressKey } from '../identity/address-key.ts'
import type { Chain } from '../message/chains.ts'
import { type DidDocument, didDocument } from './did-document.ts'
import type { DidError, DidErrorCode } from './did-error.ts'
import { formatDid } from './did-pkh.ts'

/** What resolving a DID gives (W3C DID Resolution): the document, or why there is none. */
export interface DidResolution {
  didResolutionMetadata: { contentType: string } | { error: string; message: string }
  didDocument: DidDocument | null
  didDocumentMetadata: { canonicalId?: string }
}

/** Media type of the documents. */
export const didContentType = 'application/did+ld+json'

const resolutionErrors: Record<DidErrorCode, string> = {
  invalid_did: 'invalidDid',
  unsupported_method: 'methodNotSupported',
  unsupported_chain: 'notFound',
}

/**
 * The resolution of an account.
 *
 * @param security content of the account's `security` aggregate, any JSON, null when there is none
 */
export function didResolution(account: { chain: Chain; address: string }, security: unknown): DidResolution {
  const { chain, address } = account
  const document = didDocument(address, chain, security)
  const canonicalId = formatDid(chain, addressKey(chain, address))
  return {
    didResolutionMetadata: { contentType: didContentType },
    didDocument: document,
    didDocumentMetadata: canonicalId === document.id ? {} : { canonicalId },
  }
}

/** The resolution of what cannot be resolved. */
export function failedDidResolution({ code, message }: DidError): DidResolution {
  return {
    didResolutionMetadata: { error: resolutionErrors[code], message },
    didDocument: null,
    didDocumentMetadata: {},
  }
}
