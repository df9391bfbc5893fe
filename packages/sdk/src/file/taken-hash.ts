import { AlephError } from '../errors.ts'

/** The hash a node says it took a file under, if the answer of an upload has one (protocol 03 §9.3). */
export function takenHash(body: unknown): unknown {
  return (body as { hash?: unknown } | null)?.hash
}

/** @throws AlephError `file_hash_mismatch` when the node took other bytes than were sent. */
export function checkTakenHash(url: string, body: unknown, sent: string): void {
  const taken = takenHash(body)
  if (taken === sent) return
  throw new AlephError('file_hash_mismatch', `${url} took a file with hash ${taken}, not ${sent}`, {
    hint: 'Something on the way changed the file; upload it through another core node.',
  })
}
