import {
  apiRoutes,
  type Envelope,
  ProtocolError,
  parseEnvelope,
  parseInlineContent,
  type StoreContent,
} from '@aleph-ts/protocol'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { SignatureVerifier } from '../identity/signature-verifier.ts'
import { InboxUnavailableError } from '../inbox/inbox.ts'
import { storeShortfall } from '../pipeline/store-shortfall.ts'
import { recordUpload } from '../state/files.ts'
import { FileStoreError, type StoredFile } from '../storage/file-store.ts'
import { ApiError } from './api-error.ts'
import { publish } from './publish-routes.ts'
import { pathPattern, serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'
import { sortedJson } from './sorted-json.ts'

const metadataSchema = z.object({ message: z.record(z.string(), z.unknown()), sync: z.boolean() })
/** Longest metadata field: an envelope with the largest inline content, bytes. */
const metadataBytes = 1024 * 1024

interface Upload {
  file: StoredFile
  metadata?: string
}

/** Uploads to the node's own store (protocol 03 §9.3 and §9.4). */
export function uploadRoutes(context: ApiContext, services: ApiServices) {
  const { config, writes: pool, fileStore, verifier } = context
  const { fileBytes, unsignedFileBytes } = config.limits

  async function receive(request: FastifyRequest): Promise<Upload> {
    if (!request.isMultipart()) {
      const body = request.body as AsyncIterable<Uint8Array> | undefined
      if (!body) throw noFile()
      return { file: await keep(body, unsignedFileBytes) }
    }
    let file: StoredFile | undefined
    let metadata: string | undefined
    for await (const part of request.parts()) {
      if (part.type === 'file' && part.fieldname === 'file' && !file) file = await keep(part.file, fileBytes)
      else if (part.type === 'file' && part.fieldname === 'metadata')
        metadata = (await part.toBuffer()).toString()
      else if (part.type === 'file') part.file.resume()
      else if (part.fieldname === 'metadata') metadata = String(part.value)
    }
    if (!file) throw noFile()
    return { file, metadata: metadata || undefined }
  }

  /** Until a STORE message claims it, the file is kept for the grace period. */
  async function keep(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StoredFile> {
    try {
      const file = await fileStore.write(source, { maxBytes })
      await recordUpload(pool, file)
      return file
    } catch (error) {
      if (error instanceof FileStoreError) throw tooLarge(maxBytes)
      throw error
    }
  }

  async function handleUpload(request: FastifyRequest, reply: FastifyReply) {
    const { file, metadata } = await receive(request)
    if (metadata === undefined) {
      if (file.size > unsignedFileBytes) throw tooLarge(unsignedFileBytes)
      return { status: 'success', hash: file.hash }
    }
    const { message, sync } = parseMetadata(metadata)
    const { envelope, content } = await readStore(message, verifier)
    if (content.item_hash !== file.hash) {
      const reason = `422: File hash does not match (${file.hash} != ${content.item_hash})`
      throw new ApiError(422, 'hash_mismatch', reason)
    }
    const shortfall = await storeShortfall(context, envelope, content, file.size)
    if (shortfall) {
      const { errorCode, details } = shortfall
      throw new ApiError(402, shortfall.code, `402: Payment Required: ${shortfall.message}`, {
        error_code: errorCode,
        details,
      })
    }
    const { httpStatus, body } = await publish(context, services, message, sync)
    return reply.code(httpStatus).send({ status: 'success', hash: file.hash, ...body })
  }

  return async (server: FastifyInstance): Promise<void> => {
    await server.register(async (raw) => {
      // Whatever is not a form is the file itself, streamed.
      raw.removeAllContentTypeParsers()
      await raw.register(multipart, {
        limits: {
          files: 4,
          fields: 16,
          parts: 20,
          fieldSize: metadataBytes,
          fileSize: Number.MAX_SAFE_INTEGER,
        },
        throwFileSizeLimit: false,
        // Some clients send the file without a name.
        isPartAFile: (field, type, name) =>
          field === 'file' || name !== undefined || type === 'application/octet-stream',
      })
      raw.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
      raw.post(pathPattern(apiRoutes.uploadFile.path), { bodyLimit: Number.MAX_SAFE_INTEGER }, handleUpload)
    })

    serve(
      server,
      apiRoutes.uploadJson,
      async ({ body }) => {
        const file = await keepText(sortedJson(body))
        return { status: 'success', hash: file.hash }
      },
      { bodyLimit: unsignedFileBytes },
    )

    await server.register(async (ipfs) => {
      ipfs.removeAllContentTypeParsers()
      ipfs.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
      for (const route of [apiRoutes.uploadIpfsFile, apiRoutes.uploadIpfsJson, apiRoutes.uploadCar]) {
        ipfs.post(pathPattern(route.path), () => {
          throw new ApiError(403, 'ipfs_disabled', '403: IPFS is disabled on this node')
        })
      }
    })
  }

  async function keepText(text: string): Promise<StoredFile> {
    const file = await fileStore.write([Buffer.from(text)], { maxBytes: unsignedFileBytes })
    await recordUpload(pool, file)
    return file
  }
}

function parseMetadata(text: string): z.output<typeof metadataSchema> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badMetadata('not JSON')
  }
  const parsed = metadataSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw badMetadata(
    JSON.stringify(
      parsed.error.issues.map(({ code, path, message }) => ({ type: code, loc: path, msg: message })),
    ),
  )
}

/** @throws {ApiError} 422 for what is no inline STORE message, 403 for a signature that is not the sender's */
async function readStore(
  message: unknown,
  verifier: SignatureVerifier,
): Promise<{ envelope: Envelope; content: StoreContent }> {
  let envelope: Envelope
  try {
    envelope = parseEnvelope(message)
    if (envelope.type !== 'STORE' || envelope.item_type !== 'inline') {
      throw badMetadata('message: must be a STORE message with item_type "inline"')
    }
    const verdict = await verifier.verify(envelope)
    if (verdict.outcome === 'unknown') throw new InboxUnavailableError(verdict.error.message)
    if (verdict.outcome === 'invalid') {
      const { code, errorCode, message: reason } = verdict.error
      if (code !== 'INVALID_SIGNATURE') throw verdict.error
      throw new ApiError(403, code, `403: Forbidden: ${reason}`, { error_code: errorCode })
    }
  } catch (error) {
    if (error instanceof ProtocolError) throw badMetadata(error.message)
    throw error
  }
  try {
    return { envelope, content: parseInlineContent(envelope).content as StoreContent }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const reason = `422: Invalid store message content: ${error.message}`
    throw new ApiError(422, error.code, reason, { error_code: error.errorCode, details: error.details })
  }
}

function badMetadata(reason: string): ApiError {
  return new ApiError(422, 'INVALID_FORMAT', `422: Could not decode metadata: ${reason}`, { error_code: 0 })
}

function noFile(): ApiError {
  return new ApiError(400, 'no_file', '400: File should be sent as FormData or Raw Upload')
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(413, 'file_too_large', `Maximum request body size ${maxBytes} exceeded.`)
}
