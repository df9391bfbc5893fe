import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'
import { type NodeOperation, operationContent } from './build-node-operation.ts'

/** What would become of an operation; `reason` is a code such as `balance_too_low`, `detail` says it for people. */
export interface OperationCheck {
  allowed: boolean
  reason: string | null
  detail: string | null
}

const answerSchema = z.looseObject({
  allowed: z.boolean(),
  reason: z.string().nullable(),
  detail: z.string().nullable(),
})

/** Asks a core node what would become of an operation if `address` published it now; nothing is changed. */
export async function checkNodeOperation(
  context: ClientContext,
  address: string,
  operation: NodeOperation,
  options: { signal?: AbortSignal } = {},
): Promise<OperationCheck> {
  const { details } = operationContent(operation)
  const ref = 'node' in operation ? operation.node : null
  const answer = await requestJson(context.core, '/api/v1/nodes/check', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address, action: operation.action, ref, ...(details && { details }) }),
    idempotent: true,
    ...options,
  })
  const { allowed, reason, detail } = parseAnswer(answerSchema, answer)
  return { allowed, reason, detail }
}
