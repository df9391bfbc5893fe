import type { Envelope } from '../message/envelope.ts'
import { identitySchemeOf } from './identity-scheme-of.ts'
import { verificationBuffer } from './verification-buffer.ts'

/**
 * Signs a message with a raw private key or seed (32 bytes) of its chain's kind. The sender says which, where a
 * chain has several: `tz1`, `tz2` or `tz3` on Tezos, `0x…` or `A…` on NEO.
 *
 * @throws {ProtocolError} INVALID_FORMAT when signatures of the message's chain are not taken.
 */
export function signEnvelope(unsigned: Omit<Envelope, 'signature'>, privateKey: Uint8Array): Envelope {
  const { chain, sender, time } = unsigned
  const claim = { buffer: verificationBuffer(unsigned), sender, time }
  return { ...unsigned, signature: identitySchemeOf(chain).sign(claim, privateKey) }
}
