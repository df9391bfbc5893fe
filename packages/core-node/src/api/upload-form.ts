import type { Readable } from 'node:stream'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiError } from './api-error.ts'

/** Longest metadata field: an envelope with the largest inline content, bytes. */
const metadataBytes = 1024 * 1024
const limits = {
  files: 4,
  fields: 16,
  parts: 20,
  fieldSize: metadataBytes,
  fileSize: Number.MAX_SAFE_INTEGER,
}
/** Most files of one folder. */
const mostFiles = 10_000

/** A file of a form, to be read before the next one is asked for. */
export interface FormFile {
  /** As the sender calls it; undefined when it has no name. */
  name: string | undefined
  bytes: Readable
}

/** Makes a server take forms, and whatever else as a stream of bytes. */
export async function takeForms(server: FastifyInstance): Promise<void> {
  server.removeAllContentTypeParsers()
  await server.register(multipart, {
    limits,
    throwFileSizeLimit: false,
    // Some clients send the file without a name.
    isPartAFile: (field, type, name) =>
      field === 'file' || name !== undefined || type === 'application/octet-stream',
  })
  server.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  // What was refused half way is read to its end: only then the sender reads why, and its connection serves again.
  server.addHook('onResponse', async ({ raw }) => {
    raw.unpipe()
    raw.resume()
  })
}

/**
 * The parts `file` of a form, in the order they come. Its part `metadata`, wherever it stands, goes to `onMetadata`;
 * all else is passed over.
 */
export async function* formFiles(
  request: FastifyRequest,
  onMetadata: (text: string) => Promise<void>,
  { isFolder = false }: { isFolder?: boolean } = {},
): AsyncGenerator<FormFile, void> {
  const options = isFolder
    ? { preservePath: true, limits: { ...limits, files: mostFiles, parts: mostFiles + 20 } }
    : {}
  for await (const part of request.parts(options)) {
    if (part.type === 'file' && part.fieldname === 'file') yield { name: part.filename, bytes: part.file }
    else if (part.fieldname === 'metadata') {
      const text = part.type === 'file' ? await readText(part.file) : asText(part.value)
      if (text !== '') await onMetadata(text)
    } else if (part.type === 'file') part.file.resume()
  }
}

/** Fields that say they are JSON come parsed. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

async function readText(bytes: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of bytes) {
    size += chunk.length
    if (size > metadataBytes) throw tooLarge(metadataBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

export function tooLarge(maxBytes: number): ApiError {
  return new ApiError(413, 'file_too_large', `Maximum request body size ${maxBytes} exceeded.`)
}
