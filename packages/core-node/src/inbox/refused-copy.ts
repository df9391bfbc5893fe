const envelopeFields = [
  'sender',
  'chain',
  'signature',
  'type',
  'item_type',
  'item_hash',
  'item_content',
  'time',
  'channel',
]

/**
 * What is kept of a message that was refused before anything of it was known to be in order: the envelope's own
 * fields, where they are text, numbers and the like. Anything else may be too deep or too odd for the database, and
 * one such message must not stop those that are written with it.
 */
export function refusedCopy(raw: unknown): Record<string, unknown> {
  const given = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>
  const copy: Record<string, unknown> = {}
  for (const field of envelopeFields) {
    const value = Object.hasOwn(given, field) ? given[field] : undefined
    if (typeof value === 'string') copy[field] = value.toWellFormed().replaceAll('\0', '\ufffd')
    else if (value !== undefined && (value === null || typeof value !== 'object')) copy[field] = value
  }
  return copy
}
