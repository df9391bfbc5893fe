import { isItemHash } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CoreNodeContext } from '../context.ts'
import { fileTag } from '../state/files.ts'
import { ApiError } from './api-error.ts'

/** Files up to this size are also served as base64 inside JSON, bytes. */
const largestBase64 = 100 * 1024 * 1024
const base64LineLength = 76

interface FileRow {
  hash: string
  size: number
  type: string
}

/** Downloads and look-ups of files (protocol 03 §9.1, §9.2, §9.5 to §9.7). */
export function fileRoutes({ db, config, fileStore }: CoreNodeContext) {
  async function findFile(hash: string): Promise<FileRow | undefined> {
    const row = await db.selectFrom('files').selectAll().where('hash', '=', hash).executeTakeFirst()
    return row && { ...row, size: Number(row.size) }
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

  return async (server: FastifyInstance): Promise<void> => {
    server.get('/api/v0/storage/limits.json', async () => {
      const { fileBytes, unsignedFileBytes } = config.limits
      const unsigned = { max_unauthenticated_upload_file_size: unsignedFileBytes }
      return {
        storage: { max_file_size: fileBytes, ...unsigned },
        ipfs: { max_upload_file_size: 0, max_upload_car_size: 0, ...unsigned },
      }
    })

    server.get<{ Params: { hash: string } }>('/api/v0/storage/raw/:hash', async (request, reply) => {
      const hash = fileHash(request, 'Invalid hash')
      const file = await findFile(hash)
      const size = file && (await fileStore.size(hash))
      if (size === undefined) throw new ApiError(404, 'file_not_found', 'Not found')
      reply
        .type('application/octet-stream')
        .header('content-length', size)
        .header('accept-ranges', 'none')
        .header('etag', `"${hash}"`)
        .header('cache-control', 'public, max-age=31536000, immutable')
      return reply.send(fileStore.read(hash))
    })

    server.get<{ Params: { hash: string } }>('/api/v0/storage/:hash', { compress: {} }, async (request) => {
      const hash = fileHash(request, 'Invalid hash provided')
      const file = await findFile(hash)
      if (!file) throw new ApiError(404, 'file_not_found', `No file found for hash ${hash}`)
      if (file.size > largestBase64) throw new ApiError(413, 'file_too_large', `Use ${downloadUrl(hash)}`)
      const bytes = await fileStore.readBytes(hash)
      if (!bytes) throw new ApiError(404, 'file_not_found', `No file found for hash ${hash}`)
      return { status: 'success', hash, engine: 'storage', content: mimeBase64(bytes) }
    })

    server.get<{ Params: { hash: string } }>('/api/v0/storage/metadata/:hash', async (request) => {
      const { hash } = request.params
      const file = await findFile(hash.replaceAll('\0', ''))
      if (!file) throw new ApiError(404, 'file_not_found', `No file found for hash ${hash}`)
      return { file_hash: hash, type: file.type, size: file.size, download_url: downloadUrl(hash) }
    })

    server.get<{ Params: { hash: string } }>('/api/v0/storage/by-message-hash/:hash', async (request) => {
      const hash = fileHash(request, 'Invalid hash provided')
      const pin = await db
        .selectFrom('file_pins')
        .select(['ref', 'owner', 'file_hash'])
        .where('item_hash', '=', hash)
        .where('type', '=', 'message')
        .executeTakeFirst()
      if (!pin) throw new ApiError(404, 'file_not_found', `No file found for message ${hash}`)
      return describe({ ref: pin.ref ?? hash, owner: pin.owner!, file_hash: pin.file_hash })
    })

    server.get<{ Params: { ref: string } }>('/api/v0/storage/by-ref/:ref', async (request) => {
      const { ref } = request.params
      if (!isItemHash(ref)) {
        throw new ApiError(400, 'address_required', 'address is required for user-defined ref')
      }
      return byTag(ref)
    })

    server.get<{ Params: { address: string; ref: string } }>(
      '/api/v0/storage/by-ref/:address/:ref',
      async (request) => {
        const { address, ref } = request.params
        return byTag(fileTag(address, ref, ref).replaceAll('\0', ''))
      },
    )

    server.get<{ Params: { hash: string } }>('/api/v0/storage/count/:hash', async (request) => {
      const { count } = await db
        .selectFrom('file_pins')
        .where('file_hash', '=', request.params.hash.replaceAll('\0', ''))
        .select((eb) => eb.fn.countAll<bigint>().as('count'))
        .executeTakeFirstOrThrow()
      return Number(count)
    })
  }
}

function fileHash(request: FastifyRequest, complaint: string): string {
  const { hash } = request.params as { hash: string }
  if (!isItemHash(hash)) throw new ApiError(400, 'invalid_hash', complaint)
  return hash
}

function downloadUrl(hash: string): string {
  return `/api/v0/storage/raw/${hash}`
}

/** Older peers read base64 in lines of 76 characters. */
function mimeBase64(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('base64')
  return text.replace(new RegExp(`.{1,${base64LineLength}}`, 'g'), '$&\n')
}
