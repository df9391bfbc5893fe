import { errorCodes, type NetworkProfile, type StoreContent } from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadUnfetched, readmit } from '../state/rejections.ts'
import { accountOf, type Candidate, look } from './candidate.ts'
import { chargesOf, creditsOf, holdingsOf, prices } from './names.ts'
import { paymentOf } from './price.ts'
import { storeShortfall } from './store-shortfall.ts'

/** A STORE message whose file is not worth fetching now may be once these are others. */
export function lookAtMeans(candidate: Candidate): void {
  const account = accountOf(candidate)
  const paymentType = paymentOf(candidate)
  const means = paymentType === 'credit' ? creditsOf(account) : holdingsOf(account)
  for (const name of [prices, chargesOf(account, paymentType), means]) look(candidate, name, 'ever')
}

/**
 * Sends messages that were refused before their file was fetched back to the fetch stage, if their owner could pay for
 * it now.
 *
 * @param hashes some of which may be such messages
 * @returns how many wait again
 */
export async function reviewUnfetched(
  tx: pg.PoolClient,
  hashes: string[],
  profile: NetworkProfile,
): Promise<number> {
  if (hashes.length === 0) return 0
  const unfetched = await loadUnfetched(tx, hashes, [
    errorCodes.BALANCE_INSUFFICIENT,
    errorCodes.CREDIT_INSUFFICIENT,
  ])
  const affordable: string[] = []
  for (const { message, claimedSize } of unfetched) {
    const content = message.content as StoreContent
    if (!(await storeShortfall({ pool: tx, profile }, message, content, claimedSize))) {
      affordable.push(message.item_hash)
    }
  }
  return affordable.length > 0 ? readmit(tx, affordable) : 0
}
