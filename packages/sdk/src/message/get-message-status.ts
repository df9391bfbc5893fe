import type { MessageStatus } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'
import { statusSchema } from './message-shape.ts'

const answerSchema = z.looseObject({ status: statusSchema })

/** Only the status of a message; null when the node has not heard of it (protocol 03 §4.6). */
export async function getMessageStatus(
  context: ClientContext,
  itemHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<MessageStatus | null> {
  const path = `/api/v0/messages/${encodeURIComponent(itemHash)}/status`
  const answer = await requestJson(context.core, path, { ...options, accept: [404] })
  return answer.status === 404 ? null : parseAnswer(answerSchema, answer).status
}
