import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

/** A post to the registry that has no effect, and why. */
export interface IgnoredOperation {
  itemHash: string
  address: string
  action: string | null
  /** Hash of the node it is about. */
  node: string | null
  /** Such as `balance_too_low`; `detail` says it for people. */
  reason: string
  detail: string
}

const answerSchema = z.looseObject({
  ignored: z.array(
    z.looseObject({
      item_hash: z.string(),
      address: z.string(),
      action: z.string().nullable(),
      ref: z.string().nullable(),
      reason: z.string(),
      detail: z.string(),
    }),
  ),
})

/** Operations without effect, newest first: of an address, or about a node (or the operation itself). */
export async function listIgnoredOperations(
  context: ClientContext,
  filter: { address?: string; node?: string; signal?: AbortSignal } = {},
): Promise<IgnoredOperation[]> {
  const { address, node, signal } = filter
  const answer = await requestJson(context.core, '/api/v1/nodes/ignored', {
    query: { address, node },
    ...(signal ? { signal } : {}),
  })
  return parseAnswer(answerSchema, answer).ignored.map(({ item_hash, ref, ...rest }) => ({
    itemHash: item_hash,
    address: rest.address,
    action: rest.action,
    node: ref,
    reason: rest.reason,
    detail: rest.detail,
  }))
}
