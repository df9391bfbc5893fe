import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const byAddress = z.record(z.string(), z.string())
const dayFields = {
  day: z.string(),
  from: z.number(),
  to: z.number(),
  closed: z.boolean(),
  total: z.string(),
  unallocated: z.string(),
  dev_fund: z.string(),
  kept: z.string(),
}
const daySchema = z.looseObject({ ...dayFields, rewards: byAddress, slashed: byAddress, paid: byAddress })
const shareSchema = z.looseObject({
  stream: z.string(),
  work: z.string().nullable(),
  role: z.string(),
  node: z.string(),
  amount: z.string(),
  slashed: z.boolean(),
})
const explanationSchema = z.looseObject({
  ...dayFields,
  address: z.string(),
  reward: z.string(),
  slashed: z.string(),
  paid: z.string(),
  shares: z.array(shareSchema),
})

/** Rewards of a UTC day. Amounts are ALEPH as decimal text, addresses EIP-55; `closed` once they are final. */
export type DayRewards = z.output<typeof daySchema>
/** Every reason why an address earns something on a day. */
export type RewardExplanation = z.output<typeof explanationSchema>
export type RewardShare = z.output<typeof shareSchema>

interface Abortable {
  signal?: AbortSignal
}

/**
 * What a UTC day earns whom (protocol 06 §5): every core node answers the same.
 *
 * @param day such as `2026-11-21`
 * @throws AlephApiError 404 when the chain has confirmed nothing of that day
 */
export async function getRewards(
  context: ClientContext,
  day: string,
  options: Abortable = {},
): Promise<DayRewards> {
  const path = `/api/v1/rewards/${encodeURIComponent(day)}`
  return parseAnswer(daySchema, await requestJson(context.core, path, options))
}

/** Why an address earns what it does on a UTC day. */
export async function explainRewards(
  context: ClientContext,
  day: string,
  address: string,
  options: Abortable = {},
): Promise<RewardExplanation> {
  const path = `/api/v1/rewards/${encodeURIComponent(day)}/${encodeURIComponent(address)}`
  return parseAnswer(explanationSchema, await requestJson(context.core, path, options))
}
