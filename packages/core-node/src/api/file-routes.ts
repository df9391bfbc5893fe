import { Readable } from 'node:stream'
import { apiRoutes, type ByteRange, classifyHash, isItemHash } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { fileTag } from '../state/files.ts'
import { ApiError } from './api-error.ts'
import { sendFile, tarOf } from './send-file.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

/** Files up to this size are also served as base64 inside JSON, bytes. */
const largestBase64 = 100 * 1024 * 1024
const base64LineLength = 76

interface FileRow {
  hash: string
  size: number
  type: string
}

/** Downloads and look-ups of files (protocol 03 §9.1, §9.2, §9.5 to §9.7). */
export function fileRoutes({ db, config, profile, fileStore }: ApiContext) {
  async function findFile(hash: string): Promise<FileRow | undefined> {
    const row = await db.selectFrom('files').selectAll().where('hash', '=', hash).executeTakeFirst()
    return row && { ...row, size: Number(row.size) }
  }

  /** The content of an inline message: to others it may be a message whose content is a file. */
  async function inlineContent(hash: string): Promise<Buffer | undefined> {
    const row = await db
      .selectFrom('messages')
      .select('item_content')
      .where('item_hash', '=', hash)
      .where('item_type', '=', 'inline')
      .executeTakeFirst()
    return row?.item_content == null ? undefined : Buffer.from(row.item_content)
  }

  async function describe(pin: { ref: string; owner: string; file_hash: string }) {
    const file = await findFile(pin.file_hash)
    return { ...pin, download_url: downloadUrl(pin.file_hash), size: file?.size ?? 0 }
  }

  async function byTag(tag: string) {
    const row = await db.selectFrom('file_tags').selectAll().where('tag', '=', tag).executeTakeFirst()
    if (!row) throw new ApiError(404, 'file_not_found', `No file found for tag ${tag}`)
    const ref = tag.startsWith(`${row.owner}/`) ? tag.slice(row.owner.length + 1) : tag
    return describe({ ref, owner: row.owner, file_hash: row.file_hash })
  }

  async function download(hash: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const found = (await findFile(hash)) && (await fileStore.stat(hash))
    if (found?.type === 'dir') return sendFile(tarOf(fileStore, hash), request, reply)
    const { size, read } = found
      ? { size: found.size, read: (range?: ByteRange) => fileStore.read(hash, range) }
      : asFile(await inlineContent(hash))
    return sendFile({ type: 'application/octet-stream', tag: hash, size, read }, request, reply)
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getLimits, () => {
      const { fileBytes, unsignedFileBytes } = config.limits
      const { ipfsFileBytes, carBytes } = profile.limits
      const unsigned = { max_unauthenticated_upload_file_size: unsignedFileBytes }
      return {
        storage: { max_file_size: fileBytes, ...unsigned },
        ipfs: { max_upload_file_size: ipfsFileBytes, max_upload_car_size: carBytes, ...unsigned },
      }
    })

    serve(server, apiRoutes.downloadFile, ({ params, request, reply }) =>
      download(fileHash(params.hash, 'Invalid hash'), request, reply),
    )

    serve(
      server,
      apiRoutes.getFileAsText,
      async ({ params, reply }) => {
        const hash = fileHash(params.hash, 'Invalid hash provided')
        const file = await findFile(hash)
        if (file?.type === 'dir') throw new ApiError(400, 'not_a_file', `A folder: use ${downloadUrl(hash)}`)
        if (file && file.size > largestBase64)
          throw new ApiError(413, 'file_too_large', `Use ${downloadUrl(hash)}`)
        const bytes = file ? await fileStore.readBytes(hash) : await inlineContent(hash)
        if (!bytes) throw new ApiError(404, 'file_not_found', `No file found for hash ${hash}`)
        reply.header('cache-control', 'public, max-age=31536000, immutable')
        return { status: 'success', hash, engine: classifyHash(hash)!, content: mimeBase64(bytes) }
      },
      { compress: {} },
    )

    serve(server, apiRoutes.getFileMetadata, async ({ params: { hash } }) => {
      const file = await findFile(hash)
      if (!file) throw new ApiError(404, 'file_not_found', `No file found for hash ${hash}`)
      const type = file.type as 'file' | 'dir'
      return { file_hash: hash, type, size: file.size, download_url: downloadUrl(hash) }
    })

    serve(server, apiRoutes.findFileByMessage, async ({ params }) => {
      const hash = fileHash(params.hash, 'Invalid hash provided')
      const pin = await db
        .selectFrom('file_pins')
        .select(['ref', 'owner', 'file_hash'])
        .where('item_hash', '=', hash)
        .where('type', '=', 'message')
        .executeTakeFirst()
      if (!pin) throw new ApiError(404, 'file_not_found', `No file found for message ${hash}`)
      return describe({ ref: pin.ref ?? hash, owner: pin.owner!, file_hash: pin.file_hash })
    })

    serve(server, apiRoutes.findFileByHashRef, ({ params: { ref } }) => {
      if (isItemHash(ref)) return byTag(ref)
      throw new ApiError(400, 'address_required', 'address is required for user-defined ref', {
        path: 'path.ref',
      })
    })

    serve(server, apiRoutes.findFileByRef, ({ params: { address, ref } }) =>
      byTag(fileTag(address, ref, ref)),
    )

    serve(server, apiRoutes.countPins, async ({ params }) => {
      const { count } = await db
        .selectFrom('file_pins')
        .where('file_hash', '=', params.hash)
        .select((eb) => eb.fn.countAll<bigint>().as('count'))
        .executeTakeFirstOrThrow()
      return Number(count)
    })
  }
}

function asFile(content: Buffer | undefined) {
  if (!content) throw new ApiError(404, 'file_not_found', 'Not found')
  const read = ({ start, end = content.length - 1 }: ByteRange = { start: 0 }) =>
    Readable.from([content.subarray(start, end + 1)])
  return { size: content.length, read }
}

function fileHash(hash: string, complaint: string): string {
  if (isItemHash(hash)) return hash
  throw new ApiError(400, 'invalid_hash', complaint, { path: 'path.hash' })
}

function downloadUrl(hash: string): string {
  return `/api/v0/storage/raw/${hash}`
}

/** Older peers read base64 in lines of 76 characters. */
function mimeBase64(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('base64')
  return text.replace(new RegExp(`.{1,${base64LineLength}}`, 'g'), '$&\n')
}
