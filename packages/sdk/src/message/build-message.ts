import { type Envelope, itemHash, type MessageType, parseContent } from '@aleph-ts/protocol'
import type { Account } from '../account/account.ts'
import { AlephError } from '../errors.ts'

/** What every builder needs to know besides the content. */
export interface MessageOptions {
  account: Pick<Account, 'chain' | 'address'>
  channel?: string | null
  /** Owner when it is not the sender; the sender must be authorised by the owner (protocol 01 §8). */
  owner?: string
  /** Seconds since 1970 with a fraction; now by default. */
  time?: number
}

export type UnsignedEnvelope = Omit<Envelope, 'signature'>

/** A message ready to sign. `text` is exactly what was hashed. */
export interface BuiltMessage<T extends MessageType = MessageType> {
  envelope: UnsignedEnvelope & { type: T }
  content: Record<string, unknown> & { address: string; time: number }
  text: string
}

/** Content up to this many bytes travels in the message; longer content is uploaded first (protocol 01 §2.5). */
export const inlineLimitBytes = 50_000

/**
 * Puts content into an envelope: fills owner and time, checks it against the schema a node will use,
 * serialises it once and hashes that text (protocol 01 §10). The builders beside this file give the fields
 * of each type their names; this is for what they do not cover.
 *
 * @throws ProtocolError INVALID_FORMAT, naming the field.
 */
export function buildMessage<T extends MessageType>(
  type: T,
  fields: object,
  options: MessageOptions,
): BuiltMessage<T> {
  const time = options.time ?? Date.now() / 1000
  const content = { ...fields, address: options.owner ?? options.account.address, time }
  parseContent(type, content)
  const text = serialise(content)
  const hash = itemHash(text)
  const inline = new TextEncoder().encode(text).length <= inlineLimitBytes
  return {
    content,
    text,
    envelope: {
      sender: options.account.address,
      chain: options.account.chain,
      type,
      item_type: inline ? 'inline' : 'storage',
      item_hash: hash,
      item_content: inline ? text : null,
      time,
      channel: options.channel ?? null,
    },
  }
}

function serialise(content: unknown): string {
  const text = JSON.stringify(content)
  if (text.includes('\\u0000')) {
    throw new AlephError('invalid_argument', 'The content holds a NUL character, which no node accepts', {
      hint: 'Remove U+0000 (and the text "\\u0000") from the content.',
    })
  }
  // Reference nodes percent-decode gossip; escaping keeps the hash valid there (protocol 01 §13 T5).
  return text.replaceAll('%', '\\u0025')
}
