import { errorName } from '@aleph-ts/protocol'
import { z } from 'zod'
import { type ClientContext, requireAccount } from '../client/client-context.ts'
import { MessageRejectedError } from '../errors.ts'
import { uploadBytes } from '../file/upload-bytes.ts'
import { requestJson } from '../http/request.ts'
import type { BuiltMessage } from './build-message.ts'
import { getMessage } from './get-message.ts'
import { type SignedMessage, signMessage } from './sign-message.ts'

export interface SendOptions {
  /** Wait (at most 30 s) until the node has processed the message; true by default. */
  sync?: boolean
  signal?: AbortSignal
}

export interface SentMessage {
  itemHash: string
  /** `pending` when the node has it but has not finished; follow it with `waitForMessage`. */
  status: 'processed' | 'pending'
  envelope: SignedMessage['envelope']
}

const answerSchema = z.looseObject({
  message_status: z.string().nullish(),
  error_code: z.number().nullish(),
  details: z.unknown().optional(),
})

/**
 * Signs a built message and hands it to a core node (protocol 03 §4.8). Sending the same message twice is
 * harmless, so failures of the road are retried.
 *
 * @throws MessageRejectedError when the network refuses it for good.
 * @example
 * await sendMessage(context, buildPost({ postType: 'note', content: 'Hello' }, { account }))
 */
export async function sendMessage(
  context: ClientContext,
  message: BuiltMessage | SignedMessage,
  options: SendOptions = {},
): Promise<SentMessage> {
  const signed = isSigned(message) ? message : await signMessage(message, requireAccount(context))
  if (signed.envelope.item_type === 'storage') {
    await uploadBytes(context, new TextEncoder().encode(signed.text), options)
  }
  const sync = options.sync ?? true
  const answer = await requestJson(context.core, '/api/v0/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message: signed.envelope, sync }),
    accept: [422],
    idempotent: true,
    timeoutMs: Math.max(context.core.timeoutMs, sync ? 45_000 : 0),
    ...(options.signal ? { signal: options.signal } : {}),
  })
  const itemHash = signed.envelope.item_hash
  if (answer.status === 422) throw await rejection(context, itemHash, answer.body, options.signal)
  const body = answerSchema.safeParse(answer.body)
  const processed = body.success && body.data.message_status === 'processed'
  return { itemHash, status: processed ? 'processed' : 'pending', envelope: signed.envelope }
}

function isSigned(message: BuiltMessage | SignedMessage): message is SignedMessage {
  return 'signature' in message.envelope
}

/** Makes the error of a refusal, asking the node for the reason when its answer does not hold it. */
export async function rejection(
  context: ClientContext,
  itemHash: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<MessageRejectedError> {
  const answer = answerSchema.safeParse(body)
  if (answer.success && typeof answer.data.error_code === 'number') {
    return rejectionOf(itemHash, answer.data.error_code, answer.data.details)
  }
  const lookup = await getMessage(context, itemHash, signal ? { signal } : {}).catch(() => undefined)
  if (lookup?.status === 'rejected') return rejectionOf(itemHash, lookup.errorCode, lookup.details)
  const reason = typeof body === 'string' && body !== '' ? body.slice(0, 200) : 'the node gave no reason'
  return new MessageRejectedError({ itemHash, errorCode: null, errorName: reason, details: null })
}

/** The error of a refusal whose reason is known. */
export function rejectionOf(
  itemHash: string,
  errorCode: number | null,
  details: unknown,
): MessageRejectedError {
  const name = errorCode === null ? null : errorName(errorCode)
  return new MessageRejectedError({ itemHash, errorCode, errorName: name ?? 'UNKNOWN_ERROR', details })
}
