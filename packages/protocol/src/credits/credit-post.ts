import { z } from 'zod'
import { schemaError } from '../message/format-issues.ts'
import { messageLimits } from '../message/limits.ts'
import type { NetworkProfile } from '../profile/network-profile.ts'

/** Nodes index accounts and origins: a longer text would be refused by their databases, after it was accepted. */
const text = z.string().max(messageLimits.indexedCharacters)
const account = text.refine((address) => address.trim() !== '', 'must not be blank')
const count = z.int().nonnegative()

/** Beyond this JSON numbers are not exact, and an inexact amount is no amount. */
const amount = z.int().positive().max(Number.MAX_SAFE_INTEGER)

const decimalText = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i

const decimal = z
  .union([z.number(), z.string().max(64)], 'must be a decimal number')
  .refine((value) => decimalText.test(String(value)), 'must be a decimal number')
  .transform(String)

/** Kept for information only, so that whatever it is refuses nothing. */
const bonus = z
  .unknown()
  .optional()
  .transform((value) => {
    const isWritten = typeof value === 'number' || (typeof value === 'string' && decimalText.test(value))
    const amount = isWritten ? Number(value) : Number.NaN
    return Number.isFinite(amount) ? amount : null
  })

/** MiB; decimal text is read as well. */
const size = decimal
  .transform(Number)
  .refine((value) => Number.isFinite(value) && value >= 0, 'must be a size')

/** Anything below would be a time in seconds, which some clients write: such credits would be worthless at once. */
const leastMilliseconds = 1e11

/** Epoch milliseconds; absent, null and 0 mean never. */
const expiration = z
  .int()
  .nonnegative()
  .max(8.64e15)
  .nullish()
  .transform((value) => value || null)
  .refine((value) => value === null || value >= leastMilliseconds, 'must be in milliseconds since 1970')

const distributionSchema = z.object({
  distribution: z.object({
    token: text.nullish(),
    chain: text.nullish(),
    credits: z
      .array(
        z.object({
          address: account,
          amount,
          price: decimal,
          tx_hash: text,
          provider: text,
          expiration,
          origin: text.nullish(),
          ref: text.nullish(),
          payment_method: text.nullish(),
          bonus_amount: bonus,
        }),
      )
      .min(1),
  }),
})

const expenseSchema = z.object({
  expense: z.object({
    credits: z
      .array(
        z.object({
          address: account,
          amount,
          price: decimal.nullish(),
          execution_id: text.nullish(),
          node_id: text.nullish(),
          ref: text.nullish(),
          count: count.nullish(),
          size: size.nullish(),
        }),
      )
      .min(1),
  }),
})

const transferSchema = z.object({
  transfer: z.object({
    credits: z.array(z.object({ address: account, amount, expiration })).min(1),
  }),
})

type Distribution = z.output<typeof distributionSchema>['distribution']
type Expense = z.output<typeof expenseSchema>['expense']
type Transfer = z.output<typeof transferSchema>['transfer']

/** What a post does to credits (protocol 02 §14.2). */
export type CreditOperation =
  | { kind: 'distribution'; distribution: Distribution }
  | { kind: 'expense'; expense: Expense }
  | { kind: 'transfer'; transfer: Transfer }

export const creditPostTypes = {
  distribution: 'aleph_credit_distribution',
  expense: 'aleph_credit_expense',
  transfer: 'aleph_credit_transfer',
} as const

/** The fields of a POST that tell whether it is about credits. */
export interface CreditPostFields {
  /** `content.address`. */
  address: string
  channel: string | null
  /** `content.type`. */
  type: string
  /** `content.content`. */
  content: unknown
}

/**
 * Reads what a post does to credits; null for a post that does nothing to them, which includes distributions and
 * expenses of addresses that nobody asked (protocol 02 §8.2).
 *
 * @throws {ProtocolError} INVALID_FORMAT, with the place of every broken rule
 */
export function readCreditPost(post: CreditPostFields, profile: NetworkProfile): CreditOperation | null {
  const { credits: channels } = profile.channels
  if (channels.length > 0 && (post.channel === null || !channels.includes(post.channel))) return null
  if (post.type === creditPostTypes.transfer)
    return { kind: 'transfer', ...read(transferSchema, post.content) }
  if (!profile.addresses.credits.includes(post.address)) return null
  if (post.type === creditPostTypes.distribution) {
    return { kind: 'distribution', ...read(distributionSchema, post.content) }
  }
  if (post.type === creditPostTypes.expense) return { kind: 'expense', ...read(expenseSchema, post.content) }
  return null
}

function read<T extends z.ZodType>(schema: T, content: unknown): z.output<T> {
  const result = schema.safeParse(content)
  if (result.success) return result.data
  throw schemaError(result.error, content)
}
