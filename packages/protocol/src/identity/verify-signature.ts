import { type Chain, signatureScheme } from '../message/chains.ts'
import { identitySchemeOf } from './identity-scheme-of.ts'
import { identitySchemes } from './identity-schemes.ts'
import { type SignedFields, verificationBuffer } from './verification-buffer.ts'

/** What {@link verifySignature} looks at: plain data, so that a pool of workers can do the looking. */
export interface SignedMessage extends SignedFields {
  signature: string | null
}

/**
 * Whether the sender of a message made its signature (protocol 01 §4).
 *
 * False for anything that is not a valid signature, an absent one included.
 *
 * @throws {ProtocolError} INVALID_FORMAT when signatures of the message's chain are not taken.
 */
export function verifySignature(message: SignedMessage): boolean {
  const scheme = identitySchemeOf(message.chain)
  const { signature, sender, time } = message
  if (!signature) return false
  return scheme.verify({ buffer: verificationBuffer(message), sender, time }, signature)
}

/** Whether signatures of a chain are taken at all; the table of chains says why not. */
export function isChainVerifiable(chain: Chain): boolean {
  return signatureScheme(chain) !== null
}

/**
 * One signature can be written in several ways (hex case, recovery byte, spaces in JSON, either s). This is the
 * form to store and compare, so that nodes agree on what is the same message (protocol 01 §14.7). Text that is no
 * signature of the chain is returned as it is.
 */
export function canonicalSignature(chain: Chain, signature: string): string {
  const scheme = signatureScheme(chain)
  return (scheme === null ? null : identitySchemes[scheme].canonical(signature)) ?? signature
}
