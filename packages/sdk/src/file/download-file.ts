import { createSha256 } from '@aleph-ts/protocol'
import type { ClientContext } from '../client/client-context.ts'
import { AlephError } from '../errors.ts'
import { requestStream } from '../http/request.ts'

/**
 * A stored file as a stream of bytes, by its sha256 or CID (protocol 03 §9.5); a folder comes as a tar archive. The
 * bytes of a sha256 are hashed as they pass; when they turn out not to be the file asked for, the stream fails instead
 * of ending. Those of a CID are taken as the node sends them: they do not tell how they were cut into blocks.
 *
 * @throws AlephApiError `not_found`; while reading, AlephError `file_hash_mismatch`.
 */
export async function downloadFile(
  context: ClientContext,
  fileHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<ReadableStream<Uint8Array>> {
  const response = await requestStream(
    context.core,
    `/api/v0/storage/raw/${encodeURIComponent(fileHash)}`,
    options,
  )
  const body = response.body ?? new Blob([]).stream()
  return /^[0-9a-f]{64}$/.test(fileHash) ? body.pipeThrough(checkedBy(fileHash)) : body
}

function checkedBy(fileHash: string): TransformStream<Uint8Array, Uint8Array> {
  const hash = createSha256()
  return new TransformStream({
    transform(chunk, controller) {
      hash.update(chunk)
      controller.enqueue(chunk)
    },
    flush() {
      const actual = hash.hex()
      if (actual === fileHash) return
      throw new AlephError(
        'file_hash_mismatch',
        `The node sent a file with hash ${actual}, not ${fileHash}`,
        {
          hint: 'Throw the bytes away and download from another core node.',
        },
      )
    },
  })
}
