import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const fileSchema = z.looseObject({
  file_hash: z.string(),
  size: z.number(),
  owner: z.string().nullish(),
  ref: z.string().nullish(),
})

export interface StoredFile {
  fileHash: string
  /** Bytes. */
  size: number
  owner: string | null
  ref: string | null
}

/** Which file a STORE message holds (protocol 03 §9.7). */
export async function findFile(
  context: ClientContext,
  storeItemHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<StoredFile> {
  const path = `/api/v0/storage/by-message-hash/${encodeURIComponent(storeItemHash)}`
  const body = parseAnswer(fileSchema, await requestJson(context.core, path, options))
  return { fileHash: body.file_hash, size: body.size, owner: body.owner ?? null, ref: body.ref ?? null }
}
