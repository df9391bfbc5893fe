import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const entrySchema = z.looseObject({
  /** Credits given (positive) or spent. */
  amount: z.number(),
  payment_method: z.string().nullish(),
  /** Hash of the VM for an expense, address of the giver for a transfer. */
  origin: z.string().nullish(),
  tx_hash: z.string().nullish(),
  token: z.string().nullish(),
  chain: z.string().nullish(),
  /** Hash of the post that made the entry. */
  credit_ref: z.string(),
  /** ISO time, or null for credits that never expire. */
  expiration_date: z.string().nullish(),
  /** ISO time. */
  message_timestamp: z.string(),
})

/** A line of an account's history of credits, as the node tells it (protocol 03 §10.5). */
export type CreditHistoryEntry = z.output<typeof entrySchema>

const historySchema = z.looseObject({ credit_history: z.array(entrySchema) })

/** What an account was given and spent, newest first; empty for an account without credits. */
export async function listCreditHistory(
  context: ClientContext,
  address: string,
  options: { page?: number; pageSize?: number; signal?: AbortSignal } = {},
): Promise<CreditHistoryEntry[]> {
  const path = `/api/v0/addresses/${encodeURIComponent(address)}/credit_history`
  const answer = await requestJson(context.core, path, {
    query: { page: String(options.page ?? 1), pagination: String(options.pageSize ?? 100) },
    accept: [404],
    ...(options.signal ? { signal: options.signal } : {}),
  })
  return answer.status === 404 ? [] : parseAnswer(historySchema, answer).credit_history
}
