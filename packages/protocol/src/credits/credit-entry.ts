/** A line of an account's history of credits (protocol 02 §14.2). Its key is (`ref`, `index`). */
export interface CreditEntry {
  /** Hash of the post that made it. */
  ref: string
  /** Position among the entries of that post. */
  index: number
  address: string
  /** Credits given (positive) or taken. */
  amount: bigint
  /** Effective time of the post, epoch seconds. */
  time: number
  /** Until when what was given can be spent, epoch milliseconds; null: for ever. */
  expiration: number | null
  /** What the entry is about, for people; the ledger does not look at it. */
  facts: CreditFacts
}

export interface CreditFacts {
  price?: string
  bonusAmount?: number
  txHash?: string
  token?: string
  chain?: string
  provider?: string
  origin?: string
  originRef?: string
  paymentMethod?: string
  expenseCount?: number
  expenseSizeMib?: number
}

/** What is left of credits that were given. */
export interface CreditLot {
  ref: string
  index: number
  address: string
  remaining: bigint
  time: number
  /** Epoch milliseconds; null: never. */
  expiration: number | null
}

/** First in, first out: by time, then by post, then by position (protocol 02 §14.5). */
export function compareLots(a: Omit<CreditLot, 'remaining'>, b: Omit<CreditLot, 'remaining'>): number {
  if (a.time !== b.time) return a.time - b.time
  if (a.ref !== b.ref) return a.ref < b.ref ? -1 : 1
  return a.index - b.index
}

/** Whether a lot can be spent at a time (epoch seconds): given by then, and not expired. */
export function isSpendable({ remaining, time, expiration }: CreditLot, at: number): boolean {
  return remaining > 0n && time <= at && (expiration === null || expiration > at * 1000)
}
