import { sha256Hex } from '@aleph-ts/protocol'
import type { ClientContext } from '../client/client-context.ts'
import { requestJson } from '../http/request.ts'
import { checkTakenHash } from './taken-hash.ts'

/**
 * Leaves bytes on a core node without a STORE message. They are kept for a day unless a message refers to
 * them: the road of content too long to travel inside its message (protocol 03 §9.3).
 */
export async function uploadBytes(
  context: ClientContext,
  bytes: Uint8Array,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  const form = new FormData()
  form.set('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), 'content.json')
  const { url, body } = await requestJson(context.core, '/api/v0/storage/add_file', {
    method: 'POST',
    body: form,
    idempotent: true,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  checkTakenHash(url, body, sha256Hex(bytes))
}
