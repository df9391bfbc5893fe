import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FileStore } from '../storage/file-store.ts'
import { folderAsTar } from '../storage/folder-tar.ts'
import { ApiError } from './api-error.ts'
import { type ByteRange, readRange } from './file-range.ts'
import { namesTag } from './names-tag.ts'

/** Bytes that never change under their address. */
export interface Sendable {
  /** Media type. */
  type: string
  /** Names the bytes among all that their address can give. */
  tag: string
  /** Bytes; undefined when only sending tells. */
  size: number | undefined
  /** Called only when bytes are to be sent; a range only when the size is known. */
  read: (range?: ByteRange) => Readable | Promise<Readable>
  /** What a page may do that a browser shows. @default nothing */
  sandbox?: string
}

/** Answers with bytes, or the part of them that is asked for (protocol 03 §9.5); HEAD never touches them. */
export async function sendFile(
  file: Sendable,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { size } = file
  const etag = `"${file.tag}"`
  reply
    .type(file.type)
    .header('accept-ranges', size === undefined ? 'none' : 'bytes')
    .header('etag', etag)
    .header('cache-control', 'public, max-age=31536000, immutable')
    // What people upload must not run in the name of the node.
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', `sandbox ${file.sandbox ?? ''}`.trim())
  if (namesTag(request.headers['if-none-match'], etag)) return reply.code(304).send()
  const range = size === undefined ? undefined : wantedRange(request, etag, size)
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`).removeHeader('etag')
    throw new ApiError(416, 'range_not_satisfiable', `The file has ${size} bytes`, { path: 'header.range' })
  }
  if (range) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`)
  if (size !== undefined) reply.header('content-length', range ? range.end - range.start + 1 : size)
  return reply.send(request.method === 'HEAD' ? Readable.from([]) : await file.read(range))
}

/** A stored folder as one file. */
export function tarOf(fileStore: FileStore, cid: string): Sendable {
  const read = () => folderAsTar(fileStore, cid)
  return { type: 'application/x-tar', tag: `${cid}.tar`, size: undefined, read }
}

function wantedRange({ headers }: FastifyRequest, etag: string, size: number): ReturnType<typeof readRange> {
  const condition = headers['if-range']
  return condition === undefined || condition === etag ? readRange(headers.range, size) : undefined
}
