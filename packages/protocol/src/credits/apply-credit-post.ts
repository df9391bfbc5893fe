import { formatError } from '../errors/protocol-error.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'
import type { CreditEntry, CreditFacts } from './credit-entry.ts'
import type { CreditLedger, CreditPart } from './credit-ledger.ts'
import type { CreditOperation } from './credit-post.ts'
import { leaseWindow } from './lease-ref.ts'

/** A post about credits, ready to be applied. */
export interface CreditPost {
  itemHash: string
  /** `content.address`: who gives. */
  address: string
  /** Effective time, epoch seconds; see {@link effectiveTime}. */
  time: number
  /**
   * What the sender wrote, `content.time`: it orders posts of one effective time, as {@link ownPlace} does, so that the
   * transfers of one block follow each other as they were meant. Default: `time`.
   */
  contentTime?: number
  operation: CreditOperation
}

/**
 * Applies a post to a ledger that has seen everything before it (protocol 02 §14.3, §14.4). What an expense bills for a
 * lease that an earlier post billed has no effect ({@link leaseRef}). Nothing is ever made by a
 * transfer: what it gives was drained from its sender, unless the network lets that sender mint.
 *
 * @returns the entries of the history
 * @throws {ProtocolError} INVALID_FORMAT when a transfer is refused; the ledger is unchanged then
 */
export function applyCreditPost(
  ledger: CreditLedger,
  post: CreditPost,
  profile: NetworkProfile,
): CreditEntry[] {
  const { operation } = post
  if (operation.kind === 'distribution') return distribute(ledger, post, operation.distribution, profile)
  if (operation.kind === 'expense') return spend(ledger, post, operation.expense, profile)
  return transfer(ledger, post, operation.transfer, profile)
}

type DistributionOf<K extends CreditOperation['kind']> = Extract<CreditOperation, { kind: K }> &
  Record<K, { credits: unknown[] }>

function distribute(
  ledger: CreditLedger,
  post: CreditPost,
  { token, chain, credits }: DistributionOf<'distribution'>['distribution'],
  profile: NetworkProfile,
): CreditEntry[] {
  return credits.map((credit, index) => {
    const entry = entryOf(
      post,
      index,
      credit.address,
      exactAmount(credit.amount, post, profile),
      credit.expiration,
      {
        price: credit.price,
        bonusAmount: credit.bonus_amount,
        txHash: credit.tx_hash,
        token,
        chain,
        provider: credit.provider,
        origin: credit.origin,
        originRef: credit.ref,
        paymentMethod: credit.payment_method,
      },
    )
    ledger.grant(entry)
    return entry
  })
}

function spend(
  ledger: CreditLedger,
  post: CreditPost,
  { credits }: DistributionOf<'expense'>['expense'],
  profile: NetworkProfile,
): CreditEntry[] {
  // The nodes between which a machine moved share its lease within one post.
  const paidBefore = credits.map(({ ref }) => isLeasePaid(ledger, ref))
  return credits.flatMap((credit, index) => {
    if (paidBefore[index]) return []
    const amount = exactAmount(credit.amount, post, profile)
    ledger.drain(credit.address, amount, post.time)
    if (credit.ref && leaseWindow(credit.ref) !== null) ledger.payLease(credit.ref)
    return entryOf(post, index, credit.address, -amount, null, {
      price: credit.price,
      txHash: credit.node_id,
      provider: network,
      origin: credit.execution_id,
      originRef: credit.ref,
      paymentMethod: 'credit_expense',
      expenseCount: credit.count,
      expenseSizeMib: credit.size,
    })
  })
}

function isLeasePaid(ledger: CreditLedger, ref: string | null | undefined): boolean {
  return ref ? ledger.isLeasePaid(ref) : false
}

function transfer(
  ledger: CreditLedger,
  post: CreditPost,
  { credits }: DistributionOf<'transfer'>['transfer'],
  profile: NetworkProfile,
): CreditEntry[] {
  refuseImpossible(post.address, credits)
  const amounts = credits.map((credit) => exactAmount(credit.amount, post, profile))
  const mints = profile.addresses.credits.includes(post.address)
  if (!mints) refuseUnfunded(ledger, post, amounts)
  const pile = mints ? [] : ledger.drain(post.address, sumOf(amounts), post.time).reverse()
  const entries: CreditEntry[] = []
  for (const [position, { address, expiration }] of credits.entries()) {
    const amount = amounts[position]!
    const parts = mints ? [{ expiration, amount }] : portions(take(pile, amount), expiration)
    for (const part of parts) {
      const received = entryOf(post, entries.length, address, part.amount, part.expiration, {
        ...transferred,
        origin: post.address,
      })
      ledger.grant(received)
      entries.push(received)
    }
    if (!mints) {
      entries.push(
        entryOf(post, entries.length, post.address, -amount, null, { ...transferred, origin: address }),
      )
    }
  }
  return entries
}

/** The name that entries made by the network itself carry. */
const network = 'ALEPH'
const transferred = { provider: network, paymentMethod: 'credit_transfer' }

/** Takes credits from the end of a pile that holds enough. */
function take(pile: CreditPart[], amount: bigint): CreditPart[] {
  const taken: CreditPart[] = []
  let left = amount
  while (left > 0n) {
    const part = pile.pop()!
    const fits = part.amount < left ? part.amount : left
    taken.push({ expiration: part.expiration, amount: fits })
    if (fits < part.amount) pile.push({ expiration: part.expiration, amount: part.amount - fits })
    left -= fits
  }
  return taken
}

/** What a recipient gets never outlives what it was taken from; neighbours that expire together are one. */
function portions(drained: CreditPart[], requested: number | null): CreditPart[] {
  const parts: CreditPart[] = []
  for (const { expiration, amount } of drained) {
    const until = earlier(expiration, requested)
    const last = parts.at(-1)
    if (last && last.expiration === until) last.amount += amount
    else parts.push({ expiration: until, amount })
  }
  return parts
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null) return b
  return b === null ? a : Math.min(a, b)
}

function refuseImpossible(sender: string, credits: { address: string }[]): void {
  const recipients = new Set<string>()
  for (const [index, { address }] of credits.entries()) {
    const path = `transfer.credits.${index}.address`
    if (address === sender) throw formatError(`${path}: the sender cannot be a recipient`)
    if (recipients.has(address)) throw formatError(`${path}: ${address} is named twice`)
    recipients.add(address)
  }
}

function refuseUnfunded(ledger: CreditLedger, { address, time }: CreditPost, amounts: bigint[]): void {
  const required = sumOf(amounts)
  const available = ledger.balance(address, time)
  if (available >= required) return
  throw formatError(
    `Insufficient credit balance for transfer. Required: ${required}, Available: ${available}`,
  )
}

function sumOf(amounts: bigint[]): bigint {
  return amounts.reduce((sum, amount) => sum + amount, 0n)
}

/** Posts of the first months counted in units of 10,000 (protocol 02 §7). */
function exactAmount(amount: number, { time }: CreditPost, profile: NetworkProfile): bigint {
  const from = profile.cutoffs.creditPrecisionFrom
  return from !== null && time < from ? BigInt(amount) * 10_000n : BigInt(amount)
}

function entryOf(
  { itemHash, time }: CreditPost,
  index: number,
  address: string,
  amount: bigint,
  expiration: number | null,
  facts: { [K in keyof CreditFacts]: CreditFacts[K] | null | undefined },
): CreditEntry {
  const known = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined)
  return { ref: itemHash, index, address, amount, time, expiration, facts: Object.fromEntries(known) }
}
