import { ProtocolError } from '@aleph-ts/protocol'
import { removeCreditEntries } from '../../state/credits.ts'
import { removeMetrics } from '../../state/metrics-rows.ts'
import { amendedPost, insertPosts, removePosts } from '../../state/posts.ts'
import { removeBalanceReports } from '../../state/reported-balances.ts'
import { type Candidate, contentOf, hashOf, ownerOf } from '../candidate.ts'
import { childrenOf } from '../names.ts'
import { denied, mayAct, requireAuthor, subjectOf } from '../permissions.ts'
import { standsBefore } from '../span.ts'
import type { TypeRules } from '../type-rules.ts'
import { Waiting } from '../waiting.ts'
import type { World } from '../world.ts'
import { enterSpecialPosts, judgeSpecialPost, namesChangedBy } from './special-posts.ts'

/** POST: a document, or an amend of one (protocol 02 §8). */
export const postRules: TypeRules = {
  dependencies: (candidate) => amended(candidate) ?? [],

  makes: (candidate) => [...(amended(candidate) ?? []).map(childrenOf), ...namesChangedBy(candidate.special)],

  looksAt: (candidate) => namesChangedBy(candidate.special),

  judge(candidate, world) {
    if (amended(candidate)) requireAmendable(candidate, world)
    else requireAuthor(candidate, world)
    judgeSpecialPost(candidate, world)
  },

  async enter(tx, candidates) {
    await insertPosts(tx, candidates)
    const special = candidates.filter((candidate) => candidate.special !== undefined)
    if (special.length > 0) await enterSpecialPosts(tx, special)
  },

  async leave(tx, candidates) {
    const hashes = candidates.map(hashOf)
    await removePosts(tx, hashes)
    await removeMetrics(tx, hashes)
  },

  async takeBack(tx, candidates) {
    const hashes = candidates.map(hashOf)
    await removeCreditEntries(tx, hashes)
    await removeBalanceReports(tx, hashes)
  },
}

function amended(candidate: Candidate): [string] | undefined {
  const original = amendedPost(contentOf(candidate, 'POST'))
  return original === null ? undefined : [original]
}

/** An amend changes an original of the same owner that stands; rights are those for the original (protocol 02 §6, §8.1). */
function requireAmendable(candidate: Candidate, world: World): void {
  const [ref] = amended(candidate)!
  const original = world.accepted(ref)
  if (original?.type !== 'POST' || !standsBefore(original, candidate)) {
    throw new Waiting(new ProtocolError('POST_AMEND_TARGET_NOT_FOUND', { errors: [ref] }), [ref])
  }
  const owner = ownerOf(candidate)
  if (!mayAct(candidate, owner, subjectOf(original), world)) {
    throw denied(
      `Sender ${candidate.envelope.sender} is not authorised to post on behalf of address ${owner}`,
    )
  }
  if (original.owner !== owner) throw denied(`Address ${owner} cannot amend a post of ${original.owner}`)
  if (original.content_type === 'amend') throw new ProtocolError('POST_AMEND_AMEND', { errors: [ref] })
}
