import { ProtocolError } from '@aleph-ts/protocol'
import type { FileStore } from '../storage/file-store.ts'
import { alive, type Candidate, contentOf, isOfType } from './candidate.ts'

/**
 * Second step: looks that the files of STORE messages are in the file store; a message whose file is missing goes
 * (back) to the fetch stage.
 */
export async function locateFiles(
  candidates: Candidate[],
  fileStore: Pick<FileStore, 'stat'>,
): Promise<void> {
  const stores = alive(candidates).filter((candidate) => isOfType(candidate, 'STORE'))
  await Promise.all(
    stores.map(async (candidate) => {
      const hash = contentOf(candidate, 'STORE').item_hash
      const found = await fileStore.stat(hash)
      candidate.fileSize = found?.size
      candidate.fileType = found?.type
      if (!found) {
        candidate.outcome = { kind: 'failed', error: fileUnavailable(hash), refetch: true }
      }
    }),
  )
}

export function fileUnavailable(hash: string): ProtocolError {
  return new ProtocolError('FILE_UNAVAILABLE', {
    errors: [`File not found: ${hash} (no node that was asked has it)`],
  })
}
