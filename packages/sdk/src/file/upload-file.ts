import { type ClientContext, requireAccount } from '../client/client-context.ts'
import { AlephApiError } from '../errors.ts'
import { requestJson } from '../http/request.ts'
import { buildStore, type StoreFields } from '../message/build-store.ts'
import { rejection, type SentMessage } from '../message/send-message.ts'
import { signMessage } from '../message/sign-message.ts'
import { type FileSource, hashBlob, toBlob } from './hash-file.ts'
import { checkTakenHash, takenHash } from './taken-hash.ts'

export interface UploadFileParams extends Omit<StoreFields, 'fileHash' | 'itemType'> {
  file: FileSource
  fileName?: string
  channel?: string
  owner?: string
  /** Wait (at most 30 s) until the STORE is processed; true by default. */
  sync?: boolean
  /** Milliseconds for the upload; ten minutes by default. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface UploadedFile extends SentMessage {
  /** sha256 of the file, lower-case hex: what it is downloaded by. */
  fileHash: string
  /** Bytes. */
  size: number
}

/**
 * Stores a file on the network: signs a STORE message for it and uploads both together (protocol 03 §9.3).
 *
 * @throws AlephApiError `insufficient_balance` or `too_large`; MessageRejectedError when refused for good.
 * @example
 * const { itemHash } = await uploadFile(context, { file: new TextEncoder().encode('Hello') })
 */
export async function uploadFile(context: ClientContext, params: UploadFileParams): Promise<UploadedFile> {
  const account = requireAccount(context)
  const blob = toBlob(params.file, params.mimeType)
  const fileHash = await hashBlob(blob, params.signal)
  const built = buildStore(
    { ...params, fileHash },
    {
      account,
      channel: params.channel ?? context.channel,
      ...(params.owner === undefined ? {} : { owner: params.owner }),
    },
  )
  const { envelope } = await signMessage(built, account)
  const form = new FormData()
  form.set('metadata', JSON.stringify({ message: envelope, sync: params.sync ?? true }))
  form.set('file', blob, params.fileName ?? fileHash)
  const answer = await requestJson(context.core, '/api/v0/storage/add_file', {
    method: 'POST',
    body: form,
    accept: [422],
    idempotent: true,
    timeoutMs: params.timeoutMs ?? 600_000,
    ...(params.signal ? { signal: params.signal } : {}),
  })
  if (answer.status === 422) {
    // A refused message still answers with a hash: the file itself was taken (protocol 03 §9.3).
    if (takenHash(answer.body) !== undefined) {
      throw await rejection(context, envelope.item_hash, answer.body, params.signal)
    }
    throw new AlephApiError({ status: 422, method: 'POST', url: answer.url, details: answer.body })
  }
  checkTakenHash(answer.url, answer.body, fileHash)
  return {
    itemHash: envelope.item_hash,
    status: answer.status === 200 ? 'processed' : 'pending',
    envelope,
    fileHash,
    size: blob.size,
  }
}
