import type { ClientContext } from '../client/client-context.ts'
import type { SentMessage } from '../message/send-message.ts'
import { dagOfBlob, type FileSource, hashBlob, toBlob } from './hash-file.ts'
import { sendUpload, type UploadOptions } from './send-upload.ts'

export interface UploadFileParams extends UploadOptions {
  file: FileSource
  fileName?: string
  /** What the file is found by: `storage`, its sha256 (the default), or `ipfs`, its CID. */
  engine?: 'storage' | 'ipfs'
}

export interface UploadedFile extends SentMessage {
  /** What it is downloaded by: sha256 in lower-case hex, or the CID (version 0) with `engine: 'ipfs'`. */
  fileHash: string
  /** Bytes. */
  size: number
}

/**
 * Stores a file on the network: signs a STORE message for it and uploads both together (protocol 03 §9.3, §9.8).
 *
 * @throws AlephApiError `insufficient_balance` or `too_large`; MessageRejectedError when refused for good.
 * @example
 * const { itemHash } = await uploadFile(context, { file: new TextEncoder().encode('Hello') })
 */
export async function uploadFile(context: ClientContext, params: UploadFileParams): Promise<UploadedFile> {
  const { file, fileName, engine = 'storage', ...options } = params
  const blob = toBlob(file, options.mimeType)
  const fileHash = await hashFor(engine, blob, options.signal)
  const path = engine === 'ipfs' ? '/api/v0/ipfs/add_file' : '/api/v0/storage/add_file'
  const files = [{ name: fileName ?? fileHash, blob }]
  const sent = await sendUpload(context, { path, itemType: engine, fileHash, files }, options)
  return { ...sent, fileHash, size: blob.size }
}

async function hashFor(
  engine: 'storage' | 'ipfs',
  blob: Blob,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (engine === 'storage') return hashBlob(blob, signal)
  return (await dagOfBlob(blob, { cidVersion: 0, signal })).cid.toString()
}
