import { type Envelope, ProtocolError, parseEnvelope } from '@aleph-ts/protocol'
import type { SignatureVerifier } from '../identity/signature-verifier.ts'
import { decodePayload, maxPayloadBytes } from './payload.ts'
import { RecentSet } from './recent-set.ts'

/** What to do with a gossiped message: only an accepted one is forwarded and handed to the inbox. */
export type Judgement =
  | { verdict: 'accept'; envelope: Envelope }
  /** Proof that the sender forwards rubbish. */
  | { verdict: 'reject'; reason: string }
  /** Nothing wrong with the sender, but not to be spread. */
  | { verdict: 'ignore'; reason: string }

const rememberedMessages = 200_000

/**
 * Judges messages before they are spread: size, JSON, format with item hash, and signature, each message once
 * (protocol 04 §3.5–3.7).
 */
export class MessageJudge {
  readonly #seen = new RecentSet(rememberedMessages)
  readonly #verifier: Pick<SignatureVerifier, 'verify'>

  constructor(verifier: Pick<SignatureVerifier, 'verify'>) {
    this.#verifier = verifier
  }

  /** Marks a message of our own, so that its echo costs nothing. */
  remember(envelope: Envelope): void {
    this.#seen.add(identity(envelope))
  }

  async judge(data: Uint8Array): Promise<Judgement> {
    if (data.length > maxPayloadBytes) return { verdict: 'reject', reason: 'oversize' }
    let envelope: Envelope
    try {
      envelope = parseEnvelope(decodePayload(data))
    } catch (error) {
      return { verdict: 'reject', reason: error instanceof ProtocolError ? error.code : 'not_json' }
    }
    // The same message written as other bytes has another gossip id: without this it could be spread for ever.
    if (this.#seen.has(identity(envelope))) return { verdict: 'ignore', reason: 'duplicate' }
    const verdict = await this.#verifier.verify(envelope)
    if (verdict.outcome !== 'valid') {
      const { code } = verdict.error
      // Chains whose signatures we do not take, and wallets we cannot ask, others may know better.
      const isRubbish = verdict.outcome === 'invalid' && verdict.proven && code === 'INVALID_SIGNATURE'
      return { verdict: isRubbish ? 'reject' : 'ignore', reason: code }
    }
    // A copy may have come while this one was checked.
    if (this.#seen.has(identity(envelope))) return { verdict: 'ignore', reason: 'duplicate' }
    this.#seen.add(identity(envelope))
    return { verdict: 'accept', envelope }
  }
}

/** What is signed; not the signature, of which there are as many as somebody cares to make or to write differently. */
function identity({ chain, sender, type, item_hash }: Envelope): string {
  return `${chain}\n${sender}\n${type}\n${item_hash}`
}
