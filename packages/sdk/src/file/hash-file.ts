import { createSha256 } from '@aleph-ts/protocol'
import { chunksOf } from '../http/chunks-of.ts'

export type FileSource = Uint8Array | Blob | string

/** The file as a Blob, without copying what already is one. */
export function toBlob(source: FileSource, contentType?: string): Blob {
  if (source instanceof Blob) return source
  const part = typeof source === 'string' ? source : (source as Uint8Array<ArrayBuffer>)
  return new Blob([part], contentType === undefined ? undefined : { type: contentType })
}

/** sha256 of a file in lower-case hex, read as a stream: large files need no memory. */
export async function hashBlob(blob: Blob, signal?: AbortSignal): Promise<string> {
  const hash = createSha256()
  for await (const chunk of chunksOf(blob.stream())) {
    signal?.throwIfAborted()
    hash.update(chunk)
  }
  return hash.hex()
}
