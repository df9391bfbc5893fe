import type { Readable } from 'node:stream'
import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { recordUpload } from '../state/files.ts'
import { FileStoreError } from '../storage/file-store.ts'
import { ApiError } from './api-error.ts'
import { pathPattern, serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'
import {
  publishStore,
  readSignedStore,
  refuseUpload,
  type SignedStore,
  type UploadedFile,
} from './signed-store.ts'
import { sortedJson } from './sorted-json.ts'
import { formFiles, takeForms, tooLarge } from './upload-form.ts'

interface Upload {
  file: UploadedFile
  store: SignedStore | undefined
}

/** Uploads to be found by their sha256 (protocol 03 §9.3 and §9.4). */
export function uploadRoutes(context: ApiContext, services: ApiServices) {
  const { config, writes: pool, fileStore, verifier } = context
  const { fileBytes, unsignedFileBytes } = config.limits

  async function receive(request: FastifyRequest): Promise<Upload> {
    if (!request.isMultipart()) {
      const body = request.body as Readable | undefined
      if (!body) throw noFile()
      const bytes = body.iterator({ destroyOnReturn: false })
      return { file: await keep(bytes, unsignedFileBytes), store: undefined }
    }
    let file: UploadedFile | undefined
    let store: SignedStore | undefined
    const onMetadata = async (text: string) => {
      store = await readSignedStore(text, 'storage', verifier)
    }
    for await (const { bytes } of formFiles(request, onMetadata)) {
      if (file) bytes.resume()
      else file = await keep(bytes, fileBytes)
    }
    if (!file) throw noFile()
    return { file, store }
  }

  /** Until a STORE message claims it, the file is kept for the grace period. */
  async function keep(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    maxBytes: number,
  ): Promise<UploadedFile> {
    try {
      const file = await fileStore.write(source, { maxBytes })
      return { ...file, isNew: await recordUpload(pool, file) }
    } catch (error) {
      if (error instanceof FileStoreError) throw tooLarge(maxBytes)
      throw error
    }
  }

  async function upload(request: FastifyRequest, reply: FastifyReply) {
    const { file, store } = await receive(request)
    const answer = { status: 'success', hash: file.hash }
    if (!store) {
      if (file.size <= unsignedFileBytes) return answer
      await refuseUpload(context, file)
      throw tooLarge(unsignedFileBytes)
    }
    return publishStore(context, services, store, file, answer, reply)
  }

  return async (server: FastifyInstance): Promise<void> => {
    await server.register(async (forms) => {
      await takeForms(forms)
      forms.post(pathPattern(apiRoutes.uploadFile.path), { bodyLimit: Number.MAX_SAFE_INTEGER }, upload)
    })

    serve(
      server,
      apiRoutes.uploadJson,
      async ({ body }) => {
        const { hash } = await keep([Buffer.from(sortedJson(body))], unsignedFileBytes)
        return { status: 'success', hash }
      },
      { bodyLimit: unsignedFileBytes },
    )
  }
}

function noFile(): ApiError {
  return new ApiError(400, 'no_file', '400: File should be sent as FormData or Raw Upload')
}
