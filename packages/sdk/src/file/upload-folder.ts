import { TreeDag } from '@aleph-ts/protocol'
import type { ClientContext } from '../client/client-context.ts'
import type { SentMessage } from '../message/send-message.ts'
import { dagOfBlob, type FileSource, toBlob } from './hash-file.ts'
import { sendUpload, type UploadOptions } from './send-upload.ts'

/** Folders have CIDs of version 1, as websites on IPFS do. */
const cidVersion = 1

export interface UploadFolderParams extends UploadOptions {
  /** Each with its path in the folder, names joined by `/`. */
  files: readonly { path: string; file: FileSource }[]
}

export interface UploadedFolder extends SentMessage {
  /** The folder's CID: its files are at `/ipfs/<cid>/<path>` of every core node. */
  cid: string
  /** Bytes of all files. */
  size: number
}

/**
 * Stores a folder on the network under one CID: computes it here, signs a STORE message for it and uploads both
 * together.
 *
 * @throws ContentAddressError `invalid_path`; AlephApiError `insufficient_balance` or `too_large`;
 * MessageRejectedError when refused for good.
 * @example
 * const { cid } = await uploadFolder(context, { files: [{ path: 'index.html', file: '<h1>Hello</h1>' }] })
 */
export async function uploadFolder(
  context: ClientContext,
  params: UploadFolderParams,
): Promise<UploadedFolder> {
  const { files, ...options } = params
  const blobs = files.map(({ path, file }) => ({ name: path, blob: toBlob(file) }))
  const tree = new TreeDag({ cidVersion })
  for (const { name, blob } of blobs) {
    tree.add(name, await dagOfBlob(blob, { cidVersion, signal: options.signal }))
  }
  const cid = tree.finish().cid.toString()
  const path = '/api/v0/ipfs/add_directory'
  const sent = await sendUpload(context, { path, itemType: 'ipfs', fileHash: cid, files: blobs }, options)
  return { ...sent, cid, size: blobs.reduce((sum, { blob }) => sum + blob.size, 0) }
}
