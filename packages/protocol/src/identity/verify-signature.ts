import { formatError } from '../errors/protocol-error.ts'
import { type Chain, type SignatureScheme, signatureScheme } from '../message/chains.ts'
import { canonicalEvmSignature, verifyPersonalSign } from './evm.ts'
import { canonicalSolanaSignature, verifySolana } from './solana.ts'
import { type SignedFields, verificationBuffer } from './verification-buffer.ts'

interface Verifier {
  verify(buffer: Uint8Array, signature: string, sender: string): boolean
  /** The signature in the one form it is stored and compared in, or null when it is not one at all. */
  canonical(signature: string): string | null
}

/** Supporting a further chain family means one more entry here. */
const verifiers: Partial<Record<SignatureScheme, Verifier>> = {
  evm: { verify: verifyPersonalSign, canonical: canonicalEvmSignature },
  solana: { verify: verifySolana, canonical: canonicalSolanaSignature },
}

/** What {@link verifySignature} looks at; `time` is covered by some schemes only (protocol 01 §4.9). */
export interface SignedMessage extends SignedFields {
  signature: string | null
  time?: number
}

/**
 * Whether the sender of a message made its signature (protocol 01 §4).
 *
 * False for anything that is not a valid signature, an absent one included.
 *
 * @throws {ProtocolError} INVALID_FORMAT when nobody can verify signatures of the message's chain.
 */
export function verifySignature(message: SignedMessage): boolean {
  const verifier = verifierOf(message.chain)
  if (!message.signature) return false
  return verifier.verify(verificationBuffer(message), message.signature, message.sender)
}

/** Whether this package can verify signatures of a chain. */
export function isChainVerifiable(chain: Chain): boolean {
  const scheme = signatureScheme(chain)
  return scheme !== null && verifiers[scheme] !== undefined
}

/**
 * One signature can be written in several ways (hex case, recovery byte, spaces in JSON). This is the form to
 * store and compare, so that nodes agree on what is the same message (protocol 01 §14.7). Text that is no
 * signature of the chain is returned as it is.
 */
export function canonicalSignature(chain: Chain, signature: string): string {
  const scheme = signatureScheme(chain)
  return (scheme === null ? null : verifiers[scheme]?.canonical(signature)) ?? signature
}

function verifierOf(chain: Chain): Verifier {
  const scheme = signatureScheme(chain)
  const verifier = scheme === null ? undefined : verifiers[scheme]
  if (verifier === undefined) throw formatError(`chain: signatures of ${chain} cannot be verified`)
  return verifier
}
