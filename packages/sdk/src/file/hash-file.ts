import { type BuiltNode, type CidVersion, createSha256, FileDag } from '@aleph-ts/protocol'
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

/** The root of the DAG that IPFS makes of a file (protocol 01 §2.3), read as a stream. */
export async function dagOfBlob(
  blob: Blob,
  options: { cidVersion: CidVersion; signal?: AbortSignal | undefined },
): Promise<BuiltNode> {
  const dag = new FileDag({ cidVersion: options.cidVersion })
  for await (const chunk of chunksOf(blob.stream())) {
    options.signal?.throwIfAborted()
    dag.update(chunk)
  }
  return dag.finish()
}
