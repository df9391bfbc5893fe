/** What a batch's emitter says on chain: where its messages are, or, in old events, the messages themselves. */
export interface SyncPayload {
  protocol: string
  version: number
  /** For `aleph-offchain`: hash of the archive. */
  content: unknown
}

/**
 * Reads the text of a `SyncEvent` (protocol 04 §14); undefined when it does not say a protocol, a version and a
 * content: such events mean nothing to anybody.
 */
export function parseSyncPayload(text: string): SyncPayload | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { protocol, version, content } = value as Record<string, unknown>
  if (typeof protocol !== 'string' || protocol.length > 64 || protocol.includes('\0')) return undefined
  if (!Number.isInteger(version) || Math.abs(version as number) > 1_000_000 || content == null)
    return undefined
  return { protocol, version: version as number, content }
}

/** The text that announces an archive on chain; every byte of it costs gas. */
export function offChainPayload(archiveHash: string): string {
  return JSON.stringify({ protocol: 'aleph-offchain', version: 1, content: archiveHash })
}
