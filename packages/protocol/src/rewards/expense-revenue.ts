import { z } from 'zod'
import type { CreditRevenue } from './credit-revenue.ts'

/** An `aleph_credit_expense` post as far as rewards read it. */
export interface ExpensePost {
  itemHash: string
  /** `content.time`, epoch seconds. */
  time: number
  /** `content.content`. */
  content: unknown
}

/** What one expense post earned the network (protocol 06 §5.2 a, b). */
export interface ExpenseRevenue {
  itemHash: string
  /** Epoch seconds of its end: the nodes of that moment earn it. */
  endTime: number
  revenues: CreditRevenue[]
}

/** Times above are in milliseconds: in seconds it would be the year 5138. */
const mostSeconds = 1e11
const price = z.union([
  z.number(),
  z
    .string()
    .max(64)
    .regex(/^\d+(\.\d+)?(e-?\d{1,2})?$/i),
])
const entry = z.looseObject({ amount: z.number().nonnegative(), node_id: z.string().max(128).nullish() })
const time = z.number().nonnegative().nullish()

const expenseSchema = z.looseObject({
  tags: z.array(z.string()).default([]),
  expense: z.looseObject({
    start_date: time,
    end_date: time,
    credit_price_aleph: price,
    credits: z.array(entry).default([]),
    hold: z.array(entry).default([]),
  }),
})

/**
 * Reads an expense post: what was paid in credits, and what holders and streams would have paid in them. Its end is
 * `end_date`, else `start_date`, else its own time, in milliseconds or seconds.
 *
 * @returns null for a post that says nothing about rewards
 */
export function readExpenseRevenue(post: ExpensePost): ExpenseRevenue | null {
  const parsed = expenseSchema.safeParse(post.content)
  if (!parsed.success) return null
  const { tags, expense } = parsed.data
  const work = tags.includes('type_storage') ? 'storage' : 'execution'
  const revenue = (stream: CreditRevenue['stream'], entries: z.output<typeof entry>[]): CreditRevenue => ({
    stream,
    work,
    creditPriceAleph: expense.credit_price_aleph,
    credits: entries.map(({ amount, node_id }) => ({ amount, nodeId: node_id || null })),
  })
  return {
    itemHash: post.itemHash,
    endTime: inSeconds(expense.end_date || expense.start_date || post.time),
    revenues: [revenue('credit_revenue', expense.credits), revenue('holder_tier', expense.hold)].filter(
      ({ credits }) => credits.length > 0,
    ),
  }
}

function inSeconds(time: number): number {
  return time > mostSeconds ? time / 1000 : time
}
