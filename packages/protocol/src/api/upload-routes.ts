import { z } from 'zod'
import { defineRoute } from './route.ts'

const tag = 'Files'
const hash = 'bb6e53f2738e5934b9a2125a9dc3d76211720e5152bdbcd4b236363d18d4f8a3'

const uploadAnswer = z.looseObject({
  status: z.string(),
  hash: z.string(),
  size: z.number().optional(),
  name: z.string().optional(),
})

const metadata =
  'Part `metadata`, optional: JSON text `{"message": <signed STORE message>, "sync": bool}`, best before the file.'
const form = {
  raw: 'multipart/form-data',
  description: `Part \`file\`: the bytes. ${metadata} Any other content type: the body is the file.`,
}
const ipfsForm = { raw: 'multipart/form-data', description: `Part \`file\`: the bytes. ${metadata}` }
const folderForm = {
  raw: 'multipart/form-data',
  description: `Parts \`file\`, one for each: the bytes, with the path in the folder as file name. ${metadata}`,
}
const carForm = {
  raw: 'multipart/form-data',
  description: 'Part `file`: a CARv1 with one root. Part `metadata` as for files; here it must be there.',
}
const uploadStatuses = {
  202: 'Kept, and its message is taken.',
  402: 'The owner cannot pay for it.',
  403: 'The signature is not of the sender.',
  413: 'Larger than this node takes.',
}
const json = z.unknown().meta({ description: 'Any JSON; kept compact, with sorted keys.' })

export const uploadApiRoutes = {
  uploadFile: defineRoute({
    method: 'POST',
    path: '/api/v0/storage/add_file',
    tag,
    summary: 'Upload a file',
    body: form,
    answer: uploadAnswer,
    statuses: uploadStatuses,
    example: { status: 'success', hash },
  }),
  uploadJson: defineRoute({
    method: 'POST',
    path: '/api/v0/storage/add_json',
    tag,
    summary: 'Upload JSON',
    body: json,
    answer: uploadAnswer,
    statuses: { 413: uploadStatuses[413] },
    example: { status: 'success', hash },
  }),
  uploadIpfsFile: defineRoute({
    method: 'POST',
    path: '/api/v0/ipfs/add_file',
    tag,
    summary: 'Upload a file to be found by its CID',
    description:
      'The CID is of version 0, as Kubo gives it by default, unless a signed message before the file names one of version 1.',
    body: ipfsForm,
    answer: uploadAnswer,
    statuses: uploadStatuses,
    example: {
      status: 'success',
      hash: 'QmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB6LDXZCtioEB',
      name: 'file',
      size: 12,
    },
  }),
  uploadIpfsJson: defineRoute({
    method: 'POST',
    path: '/api/v0/ipfs/add_json',
    tag,
    summary: 'Upload JSON to be found by its CID',
    body: json,
    answer: uploadAnswer,
    statuses: uploadStatuses,
    example: { status: 'success', hash: 'QmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB6LDXZCtioEB' },
  }),
  uploadFolder: defineRoute({
    method: 'POST',
    path: '/api/v0/ipfs/add_directory',
    tag,
    summary: 'Upload a folder to be found by its CID',
    description: 'The CID is of version 1, unless a signed message before the files names one of version 0.',
    body: folderForm,
    answer: uploadAnswer,
    statuses: uploadStatuses,
    example: {
      status: 'success',
      hash: 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354',
      size: 1024,
    },
  }),
  uploadCar: defineRoute({
    method: 'POST',
    path: '/api/v0/ipfs/add_car',
    tag,
    summary: 'Upload a directory or large file as a CAR; needs a signed message',
    body: carForm,
    answer: uploadAnswer,
    statuses: uploadStatuses,
    example: { status: 'success', hash: 'QmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB6LDXZCtioEB', size: 1024 },
  }),
}
