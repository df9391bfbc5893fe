import { formatError } from '../errors/protocol-error.ts'
import type { Envelope, MessageType } from '../message/envelope.ts'
import { schemaError } from '../message/format-issues.ts'
import { type ContentOf, contentSchemas } from './content-of.ts'
import { parseContentText } from './content-text.ts'

/**
 * Checks a content against the schema of its message type (protocol 01 §6).
 *
 * The result is for code: defaults are filled in and lax forms are strict. Store and serve what was received.
 *
 * @throws {ProtocolError} INVALID_FORMAT; `details.errors` lists `{type, loc, msg}`.
 */
export function parseContent<T extends MessageType>(type: T, content: unknown): ContentOf<T> {
  const result = contentSchemas[type].safeParse(content)
  if (result.success) return result.data as ContentOf<T>
  throw schemaError(result.error, content)
}

/** A content as received and as understood. */
export interface ParsedContent<T extends MessageType = MessageType> {
  /** What the text says, untouched: the value to store and serve. */
  raw: Record<string, unknown>
  content: ContentOf<T>
}

/**
 * Parses the content of an inline message.
 *
 * @throws {ProtocolError} INVALID_FORMAT: not inline, not JSON, an escaped NUL, or against the schema.
 */
export function parseInlineContent<T extends MessageType>(
  envelope: Envelope & { type: T },
): ParsedContent<T> {
  if (envelope.item_content === null) {
    throw formatError(`item_content: absent, fetch it by item_hash (item_type ${envelope.item_type})`)
  }
  const raw = parseContentText(envelope.item_content)
  return { raw, content: parseContent(envelope.type, raw) }
}

/**
 * Parses content that was fetched by hash. Old messages leave out `address` and `time`, which then are the
 * envelope's (protocol 01 §1.3).
 *
 * @throws {ProtocolError} INVALID_FORMAT
 */
export function parseFetchedContent<T extends MessageType>(
  envelope: Envelope & { type: T },
  text: string,
): ParsedContent<T> {
  const given = parseContentText(text)
  const raw = { ...given, address: given.address ?? envelope.sender, time: given.time ?? envelope.time }
  return { raw, content: parseContent(envelope.type, raw) }
}
