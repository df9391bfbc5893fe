import {
  accountsOf,
  addressKey,
  applyCreditPost,
  type BalancesUpdate,
  balancesPostType,
  type CreditOperation,
  creditPostTypes,
  leaseWindow,
  metricsPostTypes,
  type NetworkProfile,
  ProtocolError,
  readBalancesUpdate,
  readCreditPost,
  timeOfPlace,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { insertCreditEntries } from '../../state/credits.ts'
import { insertMetrics } from '../../state/metrics-rows.ts'
import { insertBalanceReports } from '../../state/reported-balances.ts'
import { accountOf, type Candidate, contentOf, hashOf, look } from '../candidate.ts'
import { billsOf, creditsOf, holdingsOf } from '../names.ts'
import type { World } from '../world.ts'

/** What a post does besides being a post (protocol 02 §8.2). */
export type SpecialPost =
  | { kind: 'credits'; operation: CreditOperation; accounts: string[]; leases: string[] }
  | { kind: 'balances'; update: BalancesUpdate }
  | { kind: 'metrics' }
  | { kind: 'malformed'; error: ProtocolError }

/** Reads what a post of somebody whom the network believes does; undefined for an ordinary post. */
export function readSpecialPost(candidate: Candidate, profile: NetworkProfile): SpecialPost | undefined {
  try {
    return (
      readCredits(candidate, profile) ?? readBalances(candidate, profile) ?? readMetrics(candidate, profile)
    )
  } catch (error) {
    if (error instanceof ProtocolError) return { kind: 'malformed', error }
    throw error
  }
}

const creditTypes: ReadonlySet<string> = new Set(Object.values(creditPostTypes))

/** Accounts of the ledger are canonical addresses, as those of costs are. */
function readCredits(candidate: Candidate, profile: NetworkProfile): SpecialPost | undefined {
  const { type, content } = contentOf(candidate, 'POST')
  if (!creditTypes.has(type)) return undefined
  const address = accountOf(candidate)
  const operation = readCreditPost({ address, channel: candidate.envelope.channel, type, content }, profile)
  if (operation === null) return undefined
  for (const credit of entriesIn(operation)) credit.address = addressKey('ETH', credit.address)
  const post = { itemHash: hashOf(candidate), address, time: 0, operation }
  return { kind: 'credits', operation, accounts: accountsOf(post), leases: leasesIn(operation) }
}

function leasesIn(operation: CreditOperation): string[] {
  if (operation.kind !== 'expense') return []
  return operation.expense.credits.flatMap(({ ref }) => (ref && leaseWindow(ref) !== null ? ref : []))
}

/** The windows that a post bills, by name: of two bills of a window the later one depends on the earlier. */
export function billsIn(special: SpecialPost | undefined): string[] {
  if (special?.kind !== 'credits') return []
  return [...new Set(special.leases.map((lease) => billsOf(leaseWindow(lease)!)))]
}

function entriesIn(operation: CreditOperation): { address: string }[] {
  if (operation.kind === 'distribution') return operation.distribution.credits
  return operation.kind === 'expense' ? operation.expense.credits : operation.transfer.credits
}

function readBalances(candidate: Candidate, profile: NetworkProfile): SpecialPost | undefined {
  const { type, content } = contentOf(candidate, 'POST')
  if (type !== balancesPostType || !profile.addresses.balances.includes(accountOf(candidate)))
    return undefined
  if (content === null) return undefined
  return { kind: 'balances', update: readBalancesUpdate(content) }
}

function readMetrics(candidate: Candidate, profile: NetworkProfile): SpecialPost | undefined {
  const { type } = contentOf(candidate, 'POST')
  const isBelieved =
    metricsPostTypes.includes(type) &&
    candidate.envelope.channel === profile.channels.scoring &&
    [...profile.addresses.observers, ...profile.addresses.scores].includes(accountOf(candidate))
  return isBelieved ? { kind: 'metrics' } : undefined
}

/** Accounts and bills that a special post changes, by name. */
export function namesChangedBy(special: SpecialPost | undefined): string[] {
  if (special?.kind === 'credits') return [...special.accounts.map(creditsOf), ...billsIn(special)]
  if (special?.kind === 'balances') {
    const { chain, balances } = special.update
    return Object.keys(balances).map((address) => holdingsOf(addressKey(chain, address)))
  }
  return []
}

/**
 * A malformed post of the network's own is no post at all; a transfer needs the credits it gives, at its own time.
 *
 * @throws {ProtocolError} INVALID_FORMAT
 */
export function judgeSpecialPost(candidate: Candidate, world: World): void {
  const { special } = candidate
  if (special?.kind === 'malformed') throw special.error
  if (special?.kind !== 'credits') return
  const { operation, accounts } = special
  const address = accountOf(candidate)
  if (operation.kind === 'transfer') look(candidate, creditsOf(address))
  for (const bills of billsIn(special)) look(candidate, bills)
  const itemHash = hashOf(candidate)
  const place = candidate.place!
  const post = { itemHash, address, time: timeOfPlace(place), operation }
  const ledger = world.credits.ledgerBefore(accounts, { itemHash, place })
  candidate.creditEntries = applyCreditPost(ledger, post, world.profile)
}

/** Lets special posts take effect. */
export async function enterSpecialPosts(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const entries = candidates.flatMap((candidate) =>
    (candidate.creditEntries ?? []).map((entry) => ({ ...entry, place: candidate.place! })),
  )
  await insertCreditEntries(tx, entries)
  const reports = candidates.flatMap((candidate) =>
    candidate.special?.kind === 'balances'
      ? { itemHash: hashOf(candidate), update: candidate.special.update }
      : [],
  )
  if (reports.length > 0) await insertBalanceReports(tx, reports)
  const metrics = candidates.filter((candidate) => candidate.special?.kind === 'metrics')
  if (metrics.length > 0) {
    await insertMetrics(
      tx,
      metrics.map((candidate) => ({
        itemHash: hashOf(candidate),
        content: contentOf(candidate, 'POST').content,
      })),
    )
  }
}
