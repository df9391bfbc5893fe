import { apiRoutes, type CidVersion, ContentAddressError } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { recordUpload } from '../state/files.ts'
import { FileStoreError, type FolderFile, type ImportedDag } from '../storage/file-store.ts'
import { ApiError } from './api-error.ts'
import { pathPattern, serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'
import {
  publishStore,
  readSignedStore,
  refuseUpload,
  requireHash,
  type SignedStore,
  type UploadedFile,
} from './signed-store.ts'
import { sortedJson } from './sorted-json.ts'
import { type FormFile, formFiles, takeForms, tooLarge } from './upload-form.ts'

/** A form as it comes in. */
interface Form {
  files: AsyncGenerator<FormFile, void>
  /** Undefined until its part of the form has come. */
  store?: SignedStore
}

/** Uploads to be found by their CIDs (protocol 03 §9.4, §9.8 and §9.9). */
export function ipfsUploadRoutes(context: ApiContext, services: ApiServices) {
  const { config, profile, writes: pool, fileStore, verifier } = context
  const { unsignedFileBytes } = config.limits
  const { ipfsFileBytes, carBytes } = profile.limits

  function open(request: FastifyRequest, options?: { isFolder: boolean }): Form {
    if (!request.isMultipart()) {
      throw new ApiError(400, 'no_form', '400: Expected Content-Type: multipart/form-data')
    }
    const onMetadata = async (text: string) => {
      form.store = await readSignedStore(text, 'ipfs', verifier)
    }
    const form: Form = { files: formFiles(request, onMetadata, options) }
    return form
  }

  /** Keeps what `add` stores for the grace period, until a STORE message claims it. */
  async function keep(maxBytes: number, add: () => Promise<ImportedDag>): Promise<UploadedFile> {
    try {
      const { cid: hash, size, type } = await add()
      return { hash, size, isNew: await recordUpload(pool, { hash, size, type }) }
    } catch (error) {
      throw refusalOf(error, maxBytes)
    }
  }

  async function addFile(request: FastifyRequest, reply: FastifyReply) {
    const form = open(request)
    const { name = 'file', bytes } = await firstFile(form)
    const file = await keep(ipfsFileBytes, async () => {
      const options = { cidVersion: cidVersion(form, 0), maxBytes: ipfsFileBytes }
      return { ...(await fileStore.addIpfsFile(bytes, options)), type: 'file' }
    })
    await skipRest(form)
    return finish(form, file, { name }, reply)
  }

  async function addFolder(request: FastifyRequest, reply: FastifyReply) {
    const form = open(request, { isFolder: true })
    const first = await firstFile(form)
    const folder = await keep(carBytes, () => {
      const options = { cidVersion: cidVersion(form, 1), maxBytes: carBytes }
      return fileStore.addIpfsFolder(folderFiles(first, form.files), options)
    })
    return finish(form, folder, {}, reply)
  }

  async function addCar(request: FastifyRequest, reply: FastifyReply) {
    const form = open(request)
    const { bytes } = await firstFile(form)
    const expectedRoot = form.store?.content.item_hash
    const dag = await keep(carBytes, () =>
      fileStore.importCar(bytes, { maxBytes: carBytes, expectedRoot }).catch((error) => {
        if (!(error instanceof ContentAddressError)) throw error
        throw new ApiError(422, error.code, `422: Invalid CAR file: ${error.message}`)
      }),
    )
    await skipRest(form)
    if (!form.store) {
      throw new ApiError(422, 'no_metadata', '422: metadata is required for CAR upload')
    }
    requireHash(form.store, dag.hash, 'Root CID')
    return finish(form, dag, {}, reply)
  }

  async function finish(
    { store }: Form,
    file: UploadedFile,
    beside: { name?: string },
    reply: FastifyReply,
  ): Promise<FastifyReply | Record<string, unknown>> {
    const { hash, size } = file
    const answer = { status: 'success', hash, ...beside, size }
    if (store) return publishStore(context, services, store, file, answer, reply)
    if (size <= unsignedFileBytes) return answer
    await refuseUpload(context, file)
    throw tooLarge(unsignedFileBytes)
  }

  return async (server: FastifyInstance): Promise<void> => {
    await server.register(async (forms) => {
      await takeForms(forms)
      const options = { bodyLimit: Number.MAX_SAFE_INTEGER }
      forms.post(pathPattern(apiRoutes.uploadIpfsFile.path), options, addFile)
      forms.post(pathPattern(apiRoutes.uploadFolder.path), options, addFolder)
      forms.post(pathPattern(apiRoutes.uploadCar.path), options, addCar)
    })

    serve(
      server,
      apiRoutes.uploadIpfsJson,
      async ({ body }) => {
        const { hash } = await keep(unsignedFileBytes, async () => {
          const text = Buffer.from(sortedJson(body))
          return { ...(await fileStore.addIpfsFile([text], { maxBytes: unsignedFileBytes })), type: 'file' }
        })
        return { status: 'success', hash }
      },
      { bodyLimit: unsignedFileBytes },
    )
  }
}

async function firstFile({ files }: Form): Promise<FormFile> {
  const { value: file } = await files.next()
  if (file) return file
  throw new ApiError(422, 'no_file', "422: Missing 'file' in multipart form.")
}

/** Reads a form to its end: the metadata may come last. */
async function skipRest({ files }: Form): Promise<void> {
  for await (const { bytes } of files) bytes.resume()
}

async function* folderFiles(
  first: FormFile,
  others: AsyncIterable<FormFile>,
): AsyncGenerator<FolderFile, void> {
  yield folderFile(first)
  for await (const other of others) yield folderFile(other)
}

function folderFile({ name, bytes }: FormFile): FolderFile {
  if (name) return { path: name, bytes }
  throw new ApiError(422, 'invalid_path', '422: Give each file its path in the folder as file name')
}

/** That of the CID which the message names, when it came first. */
function cidVersion({ store }: Form, otherwise: CidVersion): CidVersion {
  if (!store) return otherwise
  return store.content.item_hash.startsWith('Qm') ? 0 : 1
}

function refusalOf(error: unknown, maxBytes: number): unknown {
  if (error instanceof FileStoreError) {
    return error.code === 'file_too_large'
      ? tooLarge(maxBytes)
      : new ApiError(422, error.code, `422: ${error.message}`)
  }
  if (error instanceof ContentAddressError) return new ApiError(422, error.code, `422: ${error.message}`)
  return error
}
