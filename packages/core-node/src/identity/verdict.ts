import { ProtocolError } from '@aleph-ts/protocol'

/**
 * What a node knows about a message's signature.
 *
 * `invalid` is `proven` when every node must find the same; without that, whoever passed the message on may know
 * better (it can ask a smart wallet that this node cannot). `unknown` is to be tried again later.
 */
export type Verdict =
  | { outcome: 'valid' }
  | { outcome: 'invalid'; proven: boolean; error: ProtocolError }
  | { outcome: 'unknown'; error: ProtocolError }

export const valid: Verdict = { outcome: 'valid' }

/** INVALID_SIGNATURE for a reason. */
export function invalid(reason: string, { proven = true } = {}): Verdict {
  const error = new ProtocolError('INVALID_SIGNATURE', { message: reason, errors: [reason] })
  return { outcome: 'invalid', proven, error }
}

/** INTERNAL_ERROR, the retryable one of the protocol that says nothing about the message (protocol 02 §5). */
export function unknown(reason: string): Verdict {
  return {
    outcome: 'unknown',
    error: new ProtocolError('INTERNAL_ERROR', { message: reason, errors: [reason] }),
  }
}
