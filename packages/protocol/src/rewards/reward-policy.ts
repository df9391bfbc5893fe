import { z } from 'zod'

const count = z.int().nonnegative()
const aleph = z.number().nonnegative()

export const rewardPolicySchema = z.strictObject({
  /** Ethereum blocks that count as a day. */
  blocksPerDay: z.int().positive(),
  /** When the wage subsidy begins, epoch seconds; null: there is none. */
  wageFrom: z.union([z.number().nonnegative(), z.null()]),
  /** ALEPH at the rate of the first moment, per month of 30 days; it falls to nothing over `wageMonths`. */
  wageFirstMonth: aleph,
  wageMonths: count,
  /** A compute node that was inactive this long when a period closes is not paid, blocks. */
  slashAfterBlocks: count,
  /** Blocks behind the end of a period after which its rewards are final. */
  finalityBlocks: count.default(500),
  /** Smallest payout, ALEPH. */
  leastPayout: aleph,
})

/** The numbers by which a network rewards its nodes and stakers (protocol 06 §5). */
export type RewardPolicy = z.output<typeof rewardPolicySchema>
