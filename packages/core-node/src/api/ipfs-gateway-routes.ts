import { Readable } from 'node:stream'
import { apiRoutes, type Cid, ContentAddressError, classifyHash, parseCid } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import mime from 'mime'
import { BlockCatalogue } from '../bitswap/block-catalogue.ts'
import type { StoredPath } from '../storage/file-store.ts'
import { ApiError } from './api-error.ts'
import { type Sendable, sendFile, tarOf } from './send-file.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

const indexPage = 'index.html'
const rawType = 'application/vnd.ipld.raw'
const carType = 'application/vnd.ipld.car'
/** Pages run, but in a place of their own: not as part of this node's site. */
const sandbox = 'allow-scripts allow-forms allow-popups allow-modals allow-downloads'

interface Wanted {
  cid: string
  path: string
  format: 'car' | 'raw' | 'tar' | undefined
  request: FastifyRequest
  reply: FastifyReply
}

/** What CIDs name, at the paths of IPFS gateways; core nodes fetch folders from each other here. */
export function ipfsGatewayRoutes({ db, pool, fileStore, logger }: ApiContext) {
  const catalogue = new BlockCatalogue({ pool, fileStore, logger })

  async function send({ cid, path, format, request, reply }: Wanted): Promise<FastifyReply> {
    if (format === 'raw') return sendBlock({ cid, path, request, reply })
    await requireKept(cid)
    const wantsCar = format === 'car' || request.headers.accept?.includes(carType)
    if (wantsCar || format === 'tar') {
      if (path !== '')
        throw new ApiError(400, 'invalid_path', 'An archive is of the CID itself, without a path')
      return sendFile(wantsCar ? carOf(cid) : tarOf(fileStore, cid), request, reply)
    }
    const found = await find(cid, path)
    if (found.type === 'file') return sendFile(fileOf(found, path), request, reply)
    const page = await findPage(cid, path)
    const [url, query = ''] = request.url.split(/(?=\?)/)
    if (!url!.endsWith('/')) return reply.redirect(`${url}/${query}`, 301)
    return sendFile(fileOf(page, indexPage), request, reply)
  }

  async function sendBlock({ cid, path, request, reply }: Omit<Wanted, 'format'>): Promise<FastifyReply> {
    if (path !== '') throw new ApiError(400, 'invalid_path', 'A block is of the CID itself, without a path')
    const bytes = await catalogue.get(cidOf(cid))
    if (!bytes) throw notFound(cid)
    const read = () => Readable.from([bytes], { objectMode: false })
    return sendFile({ type: rawType, tag: `${cid}.raw`, size: bytes.length, read }, request, reply)
  }

  /** Only what the state knows is served, as everywhere. */
  async function requireKept(cid: string): Promise<void> {
    if (classifyHash(cid) !== 'ipfs') throw noCid()
    const row = await db.selectFrom('files').select('hash').where('hash', '=', cid).executeTakeFirst()
    if (!row || !(await fileStore.has(cid))) throw notFound(cid)
  }

  async function find(cid: string, path: string): Promise<StoredPath> {
    try {
      const found = await fileStore.readPath(cid, path)
      if (found) return found
    } catch (error) {
      if (!(error instanceof ContentAddressError)) throw error
      const statusCode = error.code === 'invalid_path' ? 400 : 404
      throw new ApiError(statusCode, error.code, error.message, { path: 'path.path' })
    }
    throw notFound(cid)
  }

  async function findPage(cid: string, path: string): Promise<StoredPath> {
    try {
      return await find(cid, path === '' ? indexPage : `${path}/${indexPage}`)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      throw new ApiError(
        404,
        'no_index_page',
        `A folder without ${indexPage}: name a file in it, or ask /ipfs/${cid}?format=tar`,
      )
    }
  }

  function carOf(cid: string): Sendable {
    const read = async () => (await fileStore.exportCar(cid))!
    return { type: `${carType}; version=1`, tag: `${cid}.car`, size: undefined, read }
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getIpfs, ({ params, query, request, reply }) =>
      send({ cid: params.cid, path: '', format: query.format, request, reply }),
    )
    serve(server, apiRoutes.getIpfsPath, ({ params, query, request, reply }) =>
      send({ cid: params.cid, path: withoutSlash(params.path), format: query.format, request, reply }),
    )
  }
}

function fileOf({ cid, size, read }: StoredPath, path: string): Sendable {
  const type = mime.getType(path) ?? 'application/octet-stream'
  const isText = type.startsWith('text/')
  return { type: isText ? `${type}; charset=utf-8` : type, tag: cid, size, read, sandbox }
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function cidOf(text: string): Cid {
  try {
    return parseCid(text)
  } catch {
    throw noCid()
  }
}

function noCid(): ApiError {
  return new ApiError(400, 'invalid_hash', 'Not a CID', { path: 'path.cid' })
}

function notFound(cid: string): ApiError {
  return new ApiError(404, 'file_not_found', `No file found for CID ${cid}`, { path: 'path.cid' })
}
