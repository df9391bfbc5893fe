import { ProtocolError } from '@aleph-ts/protocol'
import type { FileStore } from '../storage/file-store.ts'
import { alive, type Candidate, contentOf, isOfType } from './candidate.ts'

/** Sizes of the files that STORE messages of a batch name, by file hash. */
export type FileSizes = Map<string, number>

/**
 * Second step: looks that the files of STORE messages are in the file store; a message whose file is missing goes
 * (back) to the fetch stage.
 */
export async function locateFiles(candidates: Candidate[], fileStore: FileStore): Promise<FileSizes> {
  const sizes: FileSizes = new Map()
  const stores = alive(candidates).filter((candidate) => isOfType(candidate, 'STORE'))
  await Promise.all(
    stores.map(async (candidate) => {
      const hash = contentOf(candidate, 'STORE').item_hash
      const size = await fileStore.size(hash)
      if (size === undefined) {
        candidate.outcome = { kind: 'failed', error: fileUnavailable(hash), refetch: true }
      } else {
        sizes.set(hash, size)
      }
    }),
  )
  return sizes
}

export function fileUnavailable(hash: string): ProtocolError {
  return new ProtocolError('FILE_UNAVAILABLE', {
    errors: [`File not found: ${hash} (no node that was asked has it)`],
  })
}
