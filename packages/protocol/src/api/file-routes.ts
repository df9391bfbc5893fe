import { z } from 'zod'
import { defineRoute } from './route.ts'

const tag = 'Files'
const hash = 'bb6e53f2738e5934b9a2125a9dc3d76211720e5152bdbcd4b236363d18d4f8a3'

/** A file by one of its names (protocol 03 §9.7). */
const fileAnswer = z.looseObject({
  ref: z.string(),
  owner: z.string(),
  file_hash: z.string(),
  download_url: z.string(),
  size: z.number(),
})
const fileExample = {
  ref: 'my-file',
  owner: '0x1234…',
  file_hash: hash,
  download_url: `/api/v0/storage/raw/${hash}`,
  size: 11,
}

const gatewayQuery = z.object({
  format: z.enum(['car', 'raw', 'tar']).optional().meta({
    description: 'car: all blocks, to be verified; raw: the one block; tar: a folder as an archive.',
  }),
})
const gatewayDescription =
  'Files have the type that their name says; a folder is its `index.html`. With `format=car` (or `Accept: ' +
  'application/vnd.ipld.car`) all blocks of the CID itself; with `format=raw` its one block, also of CIDs inside of ' +
  'stored files.'
const gatewayAnswer = {
  raw: 'application/octet-stream',
  description: 'The bytes, of the type that the name says',
}

const rangeStatuses = {
  206: 'The range asked for.',
  304: 'You have it.',
  416: 'The range is outside of the file.',
}

export const fileApiRoutes = {
  getLimits: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/limits.json',
    tag,
    summary: 'How large uploads may be, bytes',
    answer: z.looseObject({
      storage: z.looseObject({ max_file_size: z.number(), max_unauthenticated_upload_file_size: z.number() }),
      ipfs: z.looseObject({
        max_upload_file_size: z.number(),
        max_upload_car_size: z.number(),
        max_unauthenticated_upload_file_size: z.number(),
      }),
    }),
    example: {
      storage: { max_file_size: 104857600, max_unauthenticated_upload_file_size: 26214400 },
      ipfs: {
        max_upload_file_size: 1073741824,
        max_upload_car_size: 4294967296,
        max_unauthenticated_upload_file_size: 26214400,
      },
    },
  }),
  downloadFile: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/raw/{hash}',
    tag,
    summary: 'The bytes of a file',
    description:
      'Takes one byte range (`Range: bytes=…`) and `If-None-Match`. HEAD tells the size. A folder comes as a tar ' +
      'archive (`application/x-tar`) without ranges.',
    answer: { raw: 'application/octet-stream', description: 'The bytes' },
    statuses: rangeStatuses,
  }),
  getFileAsText: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/{hash}',
    tag,
    summary: 'A file as base64 inside JSON',
    answer: z.looseObject({ status: z.string(), hash: z.string(), engine: z.string(), content: z.string() }),
    statuses: { 413: 'Too large for this form.' },
    example: { status: 'success', hash, engine: 'storage', content: 'SGVsbG8=\n' },
  }),
  getFileMetadata: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/metadata/{hash}',
    tag,
    summary: 'Size and kind of a file',
    answer: z.looseObject({
      file_hash: z.string(),
      type: z.enum(['file', 'dir']),
      size: z.number(),
      download_url: z.string(),
    }),
    example: { file_hash: hash, type: 'file', size: 11, download_url: fileExample.download_url },
  }),
  findFileByMessage: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/by-message-hash/{hash}',
    tag,
    summary: 'The file of a STORE message',
    answer: fileAnswer,
    example: fileExample,
  }),
  findFileByHashRef: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/by-ref/{ref}',
    tag,
    summary: 'The newest version of the file of a STORE message',
    answer: fileAnswer,
    example: fileExample,
  }),
  findFileByRef: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/by-ref/{address}/{ref}',
    tag,
    summary: 'The newest version of a file by the name its owner gave it',
    answer: fileAnswer,
    example: fileExample,
  }),
  countPins: defineRoute({
    method: 'GET',
    path: '/api/v0/storage/count/{hash}',
    tag,
    summary: 'Why a file is kept: the number of reasons',
    answer: z.number().int(),
    example: 1,
  }),
  getIpfs: defineRoute({
    method: 'GET',
    path: '/ipfs/{cid}',
    tag,
    summary: 'What a CID names, as an IPFS gateway serves it',
    description: gatewayDescription,
    query: gatewayQuery,
    answer: gatewayAnswer,
    statuses: { ...rangeStatuses, 301: 'It is a folder with a page: ask with `/` at the end.' },
  }),
  getIpfsPath: defineRoute({
    method: 'GET',
    path: '/ipfs/{cid}/{path}',
    lastIsRest: true,
    tag,
    summary: 'A file in a folder, as an IPFS gateway serves it',
    description: `The path may have several parts. ${gatewayDescription}`,
    query: gatewayQuery,
    answer: gatewayAnswer,
    statuses: { ...rangeStatuses, 301: 'It is a folder with a page: ask with `/` at the end.' },
  }),
}
