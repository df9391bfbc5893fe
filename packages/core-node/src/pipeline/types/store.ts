import { isItemHash, ProtocolError } from '@aleph-ts/protocol'
import { insertFiles, insertStores, removeStores } from '../../state/files.ts'
import { insertStoredFiles } from '../../state/stored-files.ts'
import { type Candidate, contentOf, hashOf, ownerOf } from '../candidate.ts'
import { revisionsOf } from '../names.ts'
import { denied, requireAuthor } from '../permissions.ts'
import { standsBefore } from '../span.ts'
import type { TypeRules } from '../type-rules.ts'
import { Waiting } from '../waiting.ts'
import type { World } from '../world.ts'

/** STORE: a claim on a file, or a new revision of one (protocol 02 §10). */
export const storeRules: TypeRules = {
  dependencies: (candidate) => original(candidate) ?? [],

  makes: (candidate) => [revisionsOf(original(candidate)?.[0] ?? hashOf(candidate))],

  looksAt: () => [],

  judge(candidate, world) {
    requireAuthor(candidate, world)
    requireOriginal(candidate, world)
  },

  async enter(tx, candidates) {
    const files = candidates.map((candidate) => ({
      hash: contentOf(candidate, 'STORE').item_hash,
      size: candidate.fileSize!,
      type: candidate.fileType ?? 'file',
    }))
    await insertFiles(tx, files)
    await insertStores(tx, candidates)
    await insertStoredFiles(tx, candidates)
  },

  leave: (tx, candidates) => removeStores(tx, candidates.map(hashOf)),
}

/** The message that a revision by hash revises; a revision by name has none (protocol 02 §10.4). */
function original(candidate: Candidate): [string] | undefined {
  const { ref } = contentOf(candidate, 'STORE')
  return ref && isItemHash(ref) ? [ref] : undefined
}

/** A revision revises a first version, of the same owner, that stands. */
function requireOriginal(candidate: Candidate, world: World): void {
  const [ref] = original(candidate) ?? []
  if (ref === undefined) return
  const target = world.accepted(ref)
  if (target?.type !== 'STORE' || !standsBefore(target, candidate)) {
    throw new Waiting(new ProtocolError('STORE_REF_NOT_FOUND', { errors: [ref] }), [ref])
  }
  if (target.content_ref !== null) throw new ProtocolError('STORE_UPDATE_UPDATE', { errors: [ref] })
  if (target.owner !== ownerOf(candidate)) {
    throw denied(`Address ${ownerOf(candidate)} cannot change a file of ${target.owner}`)
  }
}
