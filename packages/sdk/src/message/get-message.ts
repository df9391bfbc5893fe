import { apiMessageSchema, type MessageStatus } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'
import { type NetworkMessage, statusSchema } from './message-shape.ts'

/** What a core node knows about one message. Which fields are filled depends on `status` (protocol 03 §4.4). */
export interface MessageLookup {
  itemHash: string
  status: MessageStatus
  receptionTime: string | null
  /** The message when it is processed or being removed. */
  message: NetworkMessage | null
  /** Why it was rejected: number of the protocol's error table (01 §9.1). */
  errorCode: number | null
  details: unknown
  /** Item hashes of the FORGET messages. */
  forgottenBy: string[]
  /** The node's answer as it came. */
  raw: Record<string, unknown>
}

const lookupSchema = z.looseObject({
  status: statusSchema,
  item_hash: z.string(),
  reception_time: z.string().nullish(),
  message: z.unknown().optional(),
  error_code: z.number().nullish(),
  details: z.unknown().optional(),
  forgotten_by: z.array(z.string()).nullish(),
})

/**
 * One message with its status.
 *
 * @throws AlephApiError with code `not_found` when the node never heard of it.
 */
export async function getMessage(
  context: ClientContext,
  itemHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<MessageLookup> {
  const answer = await requestJson(context.core, `/api/v0/messages/${encodeURIComponent(itemHash)}`, options)
  const body = parseAnswer(lookupSchema, answer)
  const served = body.status === 'processed' || body.status === 'removing'
  return {
    itemHash: body.item_hash,
    status: body.status,
    receptionTime: body.reception_time ?? null,
    message: served ? parseAnswer(apiMessageSchema, { ...answer, body: body.message }) : null,
    errorCode: body.error_code ?? null,
    details: body.details ?? null,
    forgottenBy: body.forgotten_by ?? [],
    raw: body,
  }
}
