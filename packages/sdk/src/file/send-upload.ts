import type { ClientContext } from '../client/client-context.ts'
import { requireAccount } from '../client/client-context.ts'
import { AlephApiError } from '../errors.ts'
import { requestJson } from '../http/request.ts'
import { buildStore, type StoreFields } from '../message/build-store.ts'
import { rejection, type SentMessage } from '../message/send-message.ts'
import { signMessage } from '../message/sign-message.ts'
import { checkTakenHash, takenHash } from './taken-hash.ts'

export interface UploadOptions extends Omit<StoreFields, 'fileHash' | 'itemType'> {
  channel?: string
  owner?: string
  /** Wait (at most 30 s) until the STORE is processed; true by default. */
  sync?: boolean
  /** Milliseconds for the upload; ten minutes by default. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface Upload {
  /** Route of the core node's API. */
  path: string
  itemType: 'storage' | 'ipfs'
  /** What the files must hash to. */
  fileHash: string
  files: readonly { name: string; blob: Blob }[]
}

/** Signs a STORE message for files and sends both together (protocol 03 §9.3). */
export async function sendUpload(
  context: ClientContext,
  { path, itemType, fileHash, files }: Upload,
  options: UploadOptions,
): Promise<SentMessage> {
  const account = requireAccount(context)
  const built = buildStore(
    { ...options, fileHash, itemType },
    {
      account,
      channel: options.channel ?? context.channel,
      ...(options.owner === undefined ? {} : { owner: options.owner }),
    },
  )
  const { envelope } = await signMessage(built, account)
  const form = new FormData()
  form.set('metadata', JSON.stringify({ message: envelope, sync: options.sync ?? true }))
  for (const { name, blob } of files) form.append('file', blob, name)
  const answer = await requestJson(context.core, path, {
    method: 'POST',
    body: form,
    accept: [422],
    idempotent: true,
    timeoutMs: options.timeoutMs ?? 600_000,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  if (answer.status === 422) {
    // A refused message still answers with a hash: the file itself was taken (protocol 03 §9.3).
    if (takenHash(answer.body) !== undefined) {
      throw await rejection(context, envelope.item_hash, answer.body, options.signal)
    }
    throw new AlephApiError({ status: 422, method: 'POST', url: answer.url, details: answer.body })
  }
  checkTakenHash(answer.url, answer.body, fileHash)
  return {
    itemHash: envelope.item_hash,
    status: answer.status === 200 ? 'processed' : 'pending',
    envelope,
  }
}
