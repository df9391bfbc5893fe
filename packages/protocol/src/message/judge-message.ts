import { parseInlineContent } from '../content/parse-content.ts'
import { ProtocolError } from '../errors/protocol-error.ts'
import { verifySignature } from '../identity/verify-signature.ts'
import { hashMismatch, parseEnvelope } from './parse-envelope.ts'

/** The first thing that is wrong with a message. */
export type MessageFault = 'format' | 'item_hash' | 'missing-signature' | 'signature'

export interface MessageJudgement {
  /** As the message names itself; null when it does not. */
  itemHash: string | null
  /** null: nothing is wrong. */
  fault: MessageFault | null
  /** The fault in words that name the field; null without one. */
  detail: string | null
}

/**
 * Everything about a message that can be told from the message alone: its shape, that its hash is that of its inline
 * content, its signature and the schema of its content (protocol 01 §1.3, §4, §6). What only a network can tell, such as
 * permissions, payment, content kept elsewhere or the word of a wallet contract, is not looked at.
 *
 * @example
 * ```ts
 * judgeMessage(JSON.parse(text)) // { itemHash: '9f86…', fault: null, detail: null }
 * ```
 */
export function judgeMessage(raw: unknown): MessageJudgement {
  const itemHash = namedHash(raw)
  try {
    const envelope = parseEnvelope(raw)
    if (envelope.signature === null) {
      return { itemHash, fault: 'missing-signature', detail: 'signature: missing' }
    }
    if (!verifySignature(envelope)) {
      return { itemHash, fault: 'signature', detail: `signature: not one of ${envelope.sender}` }
    }
    if (envelope.item_type === 'inline') parseInlineContent(envelope)
    return { itemHash, fault: null, detail: null }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { itemHash, fault: error.message === hashMismatch ? 'item_hash' : 'format', detail: error.message }
  }
}

function namedHash(raw: unknown): string | null {
  const hash = typeof raw === 'object' && raw !== null ? (raw as { item_hash?: unknown }).item_hash : null
  return typeof hash === 'string' ? hash : null
}
