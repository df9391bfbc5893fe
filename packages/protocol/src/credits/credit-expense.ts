import { Amount } from '../pricing/decimal.ts'
import type { AssignmentLease } from './assignment-lease.ts'
import { creditPostTypes } from './credit-post.ts'
import { leaseRef } from './lease-ref.ts'

/** Files are paid as long as they exist, machines as long as a node has them. */
export type ExpenseKind = 'execution' | 'storage'

/** What an account owes in credits for one resource, and for how long. */
export interface CreditCharge {
  /** The message of the VM or of the file. */
  resource: string
  kind: ExpenseKind
  payer: string
  /** Decimal text. */
  creditsPerSecond: string
  /** Epoch seconds. */
  since: number
  /** Null while it lasts. */
  until: number | null
  /** Size of a file, MiB. */
  sizeMib?: number
}

/** Epoch seconds; bills of neighbouring windows share an end. */
export interface BillingWindow {
  start: number
  end: number
}

/** A line of a bill (protocol 02 §14.3). */
export interface ExpenseEntry {
  address: string
  amount: number
  /** Credits per second. */
  price: number
  /** Seconds that are paid. */
  time: number
  execution_id: string
  /** The compute node, of a machine. */
  node_id?: string
  /** {@link leaseRef} */
  ref: string
  /** MiB, of a file. */
  size?: number
}

/**
 * What VMs cost in a window: each second that a node had the VM, once, however many claim to have it; where claims
 * overlap, the older one counts. Amounts are rounded up, one line for each VM and node.
 */
export function executionExpenses(
  charges: CreditCharge[],
  leases: AssignmentLease[],
  window: BillingWindow,
): ExpenseEntry[] {
  const leasesOf = Map.groupBy(leases, (lease) => lease.vmHash)
  return inOrder(charges, 'execution').flatMap((charge) => {
    const seconds = secondsByNode(charge, leasesOf.get(charge.resource) ?? [], window)
    return [...seconds].flatMap(([node_id, time]) => {
      const entry = entryOf(charge, time, window)
      return entry ? { ...entry, node_id } : []
    })
  })
}

/** What files cost in a window: every second in which they exist. Amounts are rounded up, one line for each file. */
export function storageExpenses(charges: CreditCharge[], window: BillingWindow): ExpenseEntry[] {
  return inOrder(charges, 'storage').flatMap((charge) => {
    const seconds = Math.min(window.end, charge.until ?? window.end) - Math.max(window.start, charge.since)
    const entry = entryOf(charge, Math.max(0, seconds), window)
    return entry ? { ...entry, ...(charge.sizeMib === undefined ? {} : { size: charge.sizeMib }) } : []
  })
}

function inOrder(charges: CreditCharge[], kind: ExpenseKind): CreditCharge[] {
  return charges.filter((charge) => charge.kind === kind).sort((a, b) => (a.resource < b.resource ? -1 : 1))
}

function secondsByNode(
  charge: CreditCharge,
  leases: AssignmentLease[],
  window: BillingWindow,
): Map<string, number> {
  const seconds = new Map<string, number>()
  let paidUntil = Math.max(window.start, charge.since)
  const end = Math.min(window.end, charge.until ?? window.end)
  const oldestFirst = leases.toSorted((a, b) => a.since - b.since || (a.computeNode < b.computeNode ? -1 : 1))
  for (const lease of oldestFirst) {
    const from = Math.max(lease.since, paidUntil)
    const to = Math.min(lease.until ?? end, end)
    if (to <= from) continue
    seconds.set(lease.computeNode, (seconds.get(lease.computeNode) ?? 0) + to - from)
    paidUntil = to
  }
  return seconds
}

function entryOf(charge: CreditCharge, seconds: number, window: BillingWindow): ExpenseEntry | undefined {
  const time = Math.round(seconds * 1000) / 1000
  const amount = new Amount(charge.creditsPerSecond).times(time).ceil().toNumber()
  if (!(amount > 0)) return undefined
  return {
    address: charge.payer,
    amount,
    price: Number(charge.creditsPerSecond),
    time,
    // A file too: its lease is in the way of its hash.
    execution_id: charge.resource,
    ref: leaseRef(charge.resource, window),
  }
}

/** The content of the post that bills a window; null when nobody owes anything. */
export function expensePost(
  entries: ExpenseEntry[],
  window: BillingWindow,
  options: { kind: ExpenseKind; creditPriceAleph: string },
): Record<string, unknown> | null {
  if (entries.length === 0) return null
  return {
    time: window.end,
    type: creditPostTypes.expense,
    content: {
      tags: ['credit_expense', `type_${options.kind}`],
      expense: {
        start_date: window.start * 1000,
        end_date: window.end * 1000,
        count: entries.length,
        amount: entries.reduce((sum, { amount }) => sum + amount, 0),
        credit_price_usdc: 1e-6,
        credit_price_aleph: Number(options.creditPriceAleph),
        credits: entries,
      },
    },
  }
}
