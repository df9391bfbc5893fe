import { parseInlineContent } from '../content/parse-content.ts'
import { ProtocolError } from '../errors/protocol-error.ts'
import type { Envelope } from './envelope.ts'
import { messageLimits } from './limits.ts'
import { parseEnvelope } from './parse-envelope.ts'

/**
 * The one form in which every node keeps a message. `item_type` is not signed: whoever passes on a message can hand out
 * its content with it or apart. What could have come inline is inline, however it came.
 *
 * @param text the content that `item_hash` names
 */
export function canonicalForm(envelope: Envelope, text: string): Envelope {
  if (envelope.item_type !== 'storage' || text.length > messageLimits.inlineCharacters) return envelope
  const inline: Envelope = { ...envelope, item_type: 'inline', item_content: text }
  return isInOrder(inline) ? inline : envelope
}

function isInOrder(envelope: Envelope): boolean {
  try {
    parseInlineContent(parseEnvelope(envelope))
    return true
  } catch (error) {
    if (error instanceof ProtocolError) return false
    throw error
  }
}
