import type pg from 'pg'
import { insertAggregateElements } from '../state/aggregates.ts'
import { insertCosts } from '../state/costs.ts'
import { insertFiles, insertStores, pinContents } from '../state/files.ts'
import { type ForgottenMessage, forgetMessages } from '../state/forgets.ts'
import { insertMessages } from '../state/messages.ts'
import { insertPosts } from '../state/posts.ts'
import { removeRejections } from '../state/rejections.ts'
import { insertVms, isVmMessage } from '../state/vms.ts'
import { type Candidate, contentOf, isOfType } from './candidate.ts'
import type { FileSizes } from './fetch.ts'

/** Last step: makes the messages of a group part of the state. Returns what FORGET messages removed. */
export async function apply(
  tx: pg.PoolClient,
  candidates: Candidate[],
  firstSeq: bigint,
  fileSizes: FileSizes,
): Promise<ForgottenMessage[]> {
  if (candidates.length === 0) return []
  await insertMessages(tx, candidates, firstSeq)
  await removeRejections(
    tx,
    candidates.map((candidate) => candidate.envelope.item_hash),
  )
  const posts = candidates.filter((candidate) => isOfType(candidate, 'POST'))
  const aggregates = candidates.filter((candidate) => isOfType(candidate, 'AGGREGATE'))
  const stores = candidates.filter((candidate) => isOfType(candidate, 'STORE'))
  const vms = candidates.filter(isVmMessage)
  const fetched = candidates.filter((candidate) => candidate.fetchedContent)
  if (fetched.length > 0) await pinContents(tx, fetched)
  if (posts.length > 0) await insertPosts(tx, posts)
  if (aggregates.length > 0) await insertAggregateElements(tx, aggregates)
  if (stores.length > 0) {
    const hashes = stores.map((candidate) => contentOf(candidate, 'STORE').item_hash)
    await insertFiles(
      tx,
      hashes.map((hash) => ({ hash, size: fileSizes.get(hash)! })),
    )
    await insertStores(tx, stores)
  }
  if (vms.length > 0) await insertVms(tx, vms)
  await insertCosts(tx, candidates)
  const forgotten: ForgottenMessage[] = []
  for (const candidate of candidates.filter((candidate) => isOfType(candidate, 'FORGET'))) {
    const by = { itemHash: candidate.envelope.item_hash, time: contentOf(candidate, 'FORGET').time }
    forgotten.push(...(await forgetMessages(tx, candidate.targets ?? [], by)))
  }
  return forgotten
}
