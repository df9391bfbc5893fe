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
  readonly #verifier: SignatureVerifier
  readonly #seen = new RecentSet(rememberedMessages)

  constructor(verifier: SignatureVerifier) {
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
    try {
      if (!(await this.#verifier.verify(envelope))) return { verdict: 'reject', reason: 'INVALID_SIGNATURE' }
    } catch (error) {
      return {
        verdict: 'ignore',
        reason: error instanceof ProtocolError ? 'unsupported_chain' : 'unverifiable',
      }
    }
    // A copy may have come while this one was being checked.
    if (!this.#seen.add(identity(envelope))) return { verdict: 'ignore', reason: 'duplicate' }
    return { verdict: 'accept', envelope }
  }
}

function identity(envelope: Envelope): string {
  return `${envelope.sender}\n${envelope.item_hash}\n${envelope.signature}`
}
