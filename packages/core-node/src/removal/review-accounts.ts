import {
  affordable,
  creditBalance,
  endOfOrder,
  type NetworkProfile,
  type PaymentType,
  timeOfPlace,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadBalances } from '../chains/balances.ts'
import { fromUnits, toUnits } from '../pipeline/fixed-point.ts'
import { CreditBooks } from '../state/credits.ts'
import {
  loadDues,
  loadResources,
  type PaidResource,
  type RemovalNotice,
  recover,
  suspend,
} from '../state/removals.ts'

const secondsPerDay = 86_400n
/** Unconfirmed messages of this age count like confirmed ones. */
const confirmationPatienceMs = 3600 * 1000

export interface AccountReview {
  removing: RemovalNotice[]
  recovered: RemovalNotice[]
}

/**
 * Compares what every account has with what it uses (protocol 02 §15): the oldest things are kept, the newest go first,
 * and what can be paid again comes back. Accounts are visited whenever they cannot pay for everything or have something
 * suspended, so that neither expired credits nor messages without confirmation escape.
 */
export async function reviewAccounts(
  tx: pg.PoolClient,
  paymentType: Exclude<PaymentType, 'superfluid'>,
  profile: NetworkProfile,
  now = new Date(),
): Promise<AccountReview> {
  const review: AccountReview = { removing: [], recovered: [] }
  const dues = await loadDues(tx, paymentType)
  const balances = await loadFunds(
    tx,
    dues.map(({ account }) => account),
    paymentType,
    now,
  )
  for (const { account, due, has_removing } of dues) {
    const balance = balances.get(account) ?? '0'
    if (!has_removing && toUnits(needOf(due, paymentType)) <= toUnits(balance)) continue
    const settledBefore = new Date(now.getTime() - confirmationPatienceMs)
    const resources = await loadResources(tx, account, paymentType, settledBefore)
    const considered = resources.filter((resource) => resource.is_settled)
    const needs = considered.map(({ amount }) => needOf(amount, paymentType))
    const kept = affordable(balance, needs)
    const unpaid = considered.filter(
      (resource, index) =>
        !kept[index] && resource.status === 'processed' && !isSpared(resource, paymentType, profile),
    )
    const paid = considered.filter((resource, index) => kept[index] && resource.status === 'removing')
    review.removing.push(...(await suspend(tx, unpaid.map(hashOf))))
    review.recovered.push(...(await recover(tx, paid.map(hashOf))))
  }
  return review
}

/** ALEPH to hold, or the credits of one day. */
function needOf(amount: string, paymentType: PaymentType): string {
  return paymentType === 'credit' ? fromUnits(toUnits(amount) * secondsPerDay) : amount
}

async function loadFunds(
  tx: pg.PoolClient,
  accounts: string[],
  paymentType: PaymentType,
  now: Date,
): Promise<Map<string, string>> {
  if (paymentType === 'hold') return loadBalances(tx, accounts)
  const books = await CreditBooks.load(tx, accounts, endOfOrder)
  return new Map(
    accounts.map((account) => {
      const lots = books.ledgerBefore([account], endOfOrder).lots(account)
      return [account, String(creditBalance(lots, now.getTime() / 1000))]
    }),
  )
}

/** Small files are kept, and what was free when it was published stays free. */
function isSpared(resource: PaidResource, paymentType: PaymentType, profile: NetworkProfile): boolean {
  const { creditOnlyFrom, freeStoreAndProgramUntil } = profile.cutoffs
  const time = timeOfPlace(resource.place)
  if (paymentType === 'hold' && freeStoreAndProgramUntil !== null && time < freeStoreAndProgramUntil.time) {
    return true
  }
  if (resource.type !== 'STORE' || (resource.size ?? 0) > profile.limits.freeFileBytes) return false
  return paymentType === 'hold' || creditOnlyFrom === null || time < creditOnlyFrom
}

function hashOf(resource: PaidResource): string {
  return resource.item_hash
}
