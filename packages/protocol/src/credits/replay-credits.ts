import { ProtocolError } from '../errors/protocol-error.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'
import { applyCreditPost, type CreditPost } from './apply-credit-post.ts'
import type { CreditEntry } from './credit-entry.ts'
import { CreditLedger } from './credit-ledger.ts'

export interface CreditReplay {
  /** History, in the order of the posts. */
  entries: CreditEntry[]
  ledger: CreditLedger
  /** Transfers that cannot be paid, by hash. */
  refused: Map<string, ProtocolError>
}

/**
 * The state of all credits that a set of posts makes, in whatever order they are given (protocol 02 §14.6). This is
 * what the ledger is, for every node; whatever a node does to get there faster must come out the same. Copies of a post
 * count once.
 *
 * @param before lots as earlier posts left them; unchanged
 */
export function replayCredits(
  posts: Iterable<CreditPost>,
  profile: NetworkProfile,
  before: CreditLedger = new CreditLedger(),
): CreditReplay {
  const ledger = before.copy()
  const entries: CreditEntry[] = []
  const refused = new Map<string, ProtocolError>()
  const seen = new Set<string>()
  for (const post of [...posts].sort(compareCreditPosts)) {
    if (seen.has(post.itemHash)) continue
    seen.add(post.itemHash)
    try {
      entries.push(...applyCreditPost(ledger, post, profile))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      refused.set(post.itemHash, error)
    }
  }
  return { entries, ledger, refused }
}

/** By effective time, then by the sender's time, then by hash. */
export function compareCreditPosts(a: CreditPost, b: CreditPost): number {
  if (a.time !== b.time) return a.time - b.time
  const written = (a.contentTime ?? a.time) - (b.contentTime ?? b.time)
  if (written !== 0) return written
  return a.itemHash < b.itemHash ? -1 : a.itemHash > b.itemHash ? 1 : 0
}

/** Every account whose credits a post may change. */
export function accountsOf({ address, operation }: CreditPost): string[] {
  if (operation.kind === 'distribution') return addressesIn(operation.distribution.credits)
  if (operation.kind === 'expense') return addressesIn(operation.expense.credits)
  return [...addressesIn(operation.transfer.credits), address]
}

function addressesIn(credits: { address: string }[]): string[] {
  return [...new Set(credits.map(({ address }) => address))]
}
