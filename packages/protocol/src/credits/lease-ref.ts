import type { BillingWindow } from './credit-expense.ts'

/**
 * What the entry of a bill pays for: one resource in one window. Whatever else a post says, a ledger takes the credits
 * for one of these from one post only, so that two billers never both bill an hour.
 *
 * @param window epoch seconds
 */
export function leaseRef(resource: string, { start, end }: BillingWindow): string {
  return `lease/${start}-${end}/${resource}`
}

/** The window that a {@link leaseRef} is about, as text; null for any other `ref`. */
export function leaseWindow(ref: string | null | undefined): string | null {
  return /^lease\/(\d{1,16}-\d{1,16})\/./.exec(ref ?? '')?.[1] ?? null
}
