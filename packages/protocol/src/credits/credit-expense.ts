import { Amount } from '../pricing/decimal.ts'
import type { AssignmentLease } from './assignment-lease.ts'
import { creditPostTypes } from './credit-post.ts'

/** What an account owes in credits for one resource, and for how long. */
export interface CreditCharge {
  /** The message of the VM or of the file. */
  resource: string
  payer: string
  /** Decimal text. */
  creditsPerSecond: string
  /** Epoch seconds. */
  since: number
  /** Null while it lasts. */
  until: number | null
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
  node_id: string
  ref: string
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
  return charges
    .toSorted((a, b) => (a.resource < b.resource ? -1 : 1))
    .flatMap((charge) => {
      const seconds = secondsByNode(charge, leasesOf.get(charge.resource) ?? [], window)
      return [...seconds].flatMap(([node, time]) => entryOf(charge, node, time) ?? [])
    })
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

function entryOf(charge: CreditCharge, node: string, seconds: number): ExpenseEntry | undefined {
  const time = Math.round(seconds * 1000) / 1000
  const amount = new Amount(charge.creditsPerSecond).times(time).ceil().toNumber()
  if (!(amount > 0)) return undefined
  return {
    address: charge.payer,
    amount,
    price: Number(charge.creditsPerSecond),
    time,
    execution_id: charge.resource,
    node_id: node,
    ref: charge.resource,
  }
}

/** The content of the post that bills a window; null when nobody owes anything. */
export function expensePost(
  entries: ExpenseEntry[],
  window: BillingWindow,
  options: { creditPriceAleph: string },
): Record<string, unknown> | null {
  if (entries.length === 0) return null
  return {
    time: window.end,
    type: creditPostTypes.expense,
    content: {
      tags: ['credit_expense', 'type_execution'],
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
