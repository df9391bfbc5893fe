import type { MessageType } from '../message/envelope.ts'

/** Where the tags of a message live, by type (protocol 01 §6); no other type has any. */
const tagPaths: Partial<Record<MessageType, readonly string[]>> = {
  POST: ['content', 'tags'],
  AGGREGATE: ['content', 'tags'],
  STORE: ['tags'],
  PROGRAM: ['metadata', 'tags'],
  INSTANCE: ['metadata', 'tags'],
  'V-PROGRAM': ['metadata', 'tags'],
}

/** The tags of a message, from its content as received. Whatever is not a list of strings is skipped. */
export function extractTags(type: MessageType, rawContent: Record<string, unknown>): string[] {
  let value: unknown = rawContent
  for (const key of tagPaths[type] ?? []) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return []
    value = (value as Record<string, unknown>)[key]
  }
  return Array.isArray(value) ? value.filter((tag) => typeof tag === 'string') : []
}
