import { type BuiltMessage, buildMessage, type MessageOptions } from './build-message.ts'

export interface AggregateFields {
  key: string
  /** Merged over what the key holds, field by field on the first level; null stays as a value. */
  content: Record<string, unknown>
}

/**
 * An AGGREGATE: one owner's key-value store (protocol 01 §6.2).
 *
 * @example
 * buildAggregate({ key: 'profile', content: { name: 'Ada' } }, { account })
 */
export function buildAggregate(fields: AggregateFields, options: MessageOptions): BuiltMessage<'AGGREGATE'> {
  return buildMessage('AGGREGATE', { key: fields.key, content: fields.content }, options)
}
