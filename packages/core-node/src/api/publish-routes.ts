import { apiRoutes, errorDescriptions, errorName, type MessageStatus } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import type { CoreNodeContext } from '../context.ts'
import type { Outcome } from '../pipeline/outcomes.ts'
import { ApiError } from './api-error.ts'
import { serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'

/** Longest wait of a `sync` call, ms (protocol 03 §4.8). */
const syncTimeoutMs = 30_000

/** Which HTTP status says a message status (protocol 03 §4.8). */
const httpStatus: Record<MessageStatus, number> = {
  pending: 202,
  processed: 200,
  removing: 200,
  rejected: 422,
  forgotten: 410,
  removed: 410,
}

export interface Publication {
  httpStatus: number
  body: {
    publication_status: { status: 'success' | 'error'; failed: string[] }
    message_status: MessageStatus
    error?: string
    code?: string
    error_code?: number
    details?: unknown
  }
}

/**
 * Hands a message to the inbox and says what became of it; with `sync` after it was processed, refused, or 30 s.
 *
 * @throws {InboxUnavailableError}
 */
export async function publish(
  context: CoreNodeContext,
  services: Pick<ApiServices, 'outcomes'>,
  message: unknown,
  sync: boolean,
): Promise<Publication> {
  const hash = (message as { item_hash?: unknown } | null)?.item_hash
  const waiter = sync && typeof hash === 'string' ? services.outcomes.next(hash, syncTimeoutMs) : undefined
  try {
    const accepted = await context.inbox.accept(message, { door: 'api' })
    if (accepted.status !== 'pending' || !waiter) return describe(accepted)
    return describe((await waiter.outcome) ?? accepted)
  } finally {
    waiter?.forget()
  }
}

function describe({ status, errorCode, details }: Outcome): Publication {
  const isRefused = status === 'rejected'
  const body: Publication['body'] = {
    publication_status: { status: isRefused ? 'error' : 'success', failed: [] },
    message_status: status,
  }
  if (isRefused && errorCode !== undefined) {
    const name = errorName(errorCode) ?? 'INTERNAL_ERROR'
    // Clients look for this word.
    const prefix = name === 'INVALID_FORMAT' ? 'InvalidMessageFormat: ' : ''
    Object.assign(body, { error: prefix + reasonOf(details, errorDescriptions[name]), code: name })
    Object.assign(body, { error_code: errorCode, details: details ?? null })
  }
  return { httpStatus: httpStatus[status], body }
}

function reasonOf(details: unknown, fallback: string): string {
  const [first] = (details as { errors?: unknown[] } | null)?.errors ?? []
  if (typeof first === 'string') return first
  const issue = first as { loc?: unknown[]; msg?: unknown } | null | undefined
  return typeof issue?.msg === 'string' ? `${(issue.loc ?? []).join('.')}: ${issue.msg}` : fallback
}

/** Publishing (protocol 03 §4.8 and §4.9). */
export function publishRoutes(context: ApiContext, services: ApiServices) {
  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.publishMessage, async ({ body: { message, sync }, reply }) => {
      const publication = await publish(context, services, message, sync)
      return reply.code(publication.httpStatus).send(publication.body)
    })

    serve(server, apiRoutes.publishOnTopic, async ({ body: { topic, data }, reply }) => {
      const ours = context.profile.topics.messages
      if (topic !== ours) {
        const reason = `Unauthorized P2P topic: ${String(topic).slice(0, 200)}. Use ${ours}.`
        throw new ApiError(403, 'unauthorized_topic', reason, { path: 'body.topic' })
      }
      const { httpStatus, body } = await publish(context, services, messageOf(data), false)
      if (httpStatus === 422) return reply.code(422).send(body)
      return { status: 'success', failed: [] }
    })
  }
}

/** Old clients send the message as JSON text, some as an object. */
function messageOf(data: unknown): unknown {
  if (typeof data === 'object' && data !== null) return data
  const problem =
    typeof data === 'string' ? 'must be deserializable as JSON.' : 'expected a serialized JSON string.'
  try {
    if (typeof data === 'string') return JSON.parse(data)
  } catch {
    // Told below.
  }
  throw new ApiError(422, 'INVALID_FORMAT', `'data': ${problem}`, { path: 'body.data' })
}
