import { formatError } from '../errors/protocol-error.ts'
import { signatureScheme } from '../message/chains.ts'
import type { Envelope } from '../message/envelope.ts'
import { personalSign } from './evm.ts'
import { signSolana } from './solana.ts'
import { verificationBuffer } from './verification-buffer.ts'

/**
 * Signs a message with a raw private key (32 bytes) of its chain's kind.
 *
 * @throws {ProtocolError} INVALID_FORMAT when this package cannot sign for the message's chain.
 */
export function signEnvelope(unsigned: Omit<Envelope, 'signature'>, privateKey: Uint8Array): Envelope {
  const buffer = verificationBuffer(unsigned)
  const scheme = signatureScheme(unsigned.chain)
  if (scheme === 'evm') return { ...unsigned, signature: personalSign(buffer, privateKey) }
  if (scheme === 'solana') return { ...unsigned, signature: signSolana(buffer, privateKey) }
  throw formatError(`chain: cannot sign for ${unsigned.chain}`)
}
