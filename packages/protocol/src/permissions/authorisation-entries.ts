/** The entries of a `security` aggregate (any JSON) that are objects at all (protocol 01 §8.1). */
export function authorisationEntries(security: unknown): Record<string, unknown>[] {
  if (!isObject(security) || !Array.isArray(security.authorizations)) return []
  return security.authorizations.filter(isObject)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
