import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const aggregatesSchema = z.looseObject({ data: z.record(z.string(), z.unknown()).nullish() })

/** All aggregates of an owner, or those of the given keys; an empty object when there are none. */
export async function getAggregates(
  context: ClientContext,
  owner: string,
  options: { keys?: readonly string[]; signal?: AbortSignal } = {},
): Promise<Record<string, unknown>> {
  const answer = await requestJson(context.core, `/api/v0/aggregates/${encodeURIComponent(owner)}.json`, {
    query: { keys: options.keys },
    accept: [404],
    ...(options.signal ? { signal: options.signal } : {}),
  })
  return answer.status === 404 ? {} : (parseAnswer(aggregatesSchema, answer).data ?? {})
}

/**
 * What an owner keeps under one key; null when there is nothing (protocol 03 §7.1).
 *
 * @example
 * const profile = await getAggregate(context, account.address, 'profile')
 */
export async function getAggregate(
  context: ClientContext,
  owner: string,
  key: string,
  options: { signal?: AbortSignal } = {},
): Promise<unknown> {
  const all = await getAggregates(context, owner, { keys: [key], ...options })
  return all[key] ?? null
}
