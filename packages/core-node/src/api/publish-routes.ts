import { errorDescriptions, errorName, type MessageStatus } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import type { CoreNodeContext } from '../context.ts'
import type { Outcome } from '../pipeline/outcomes.ts'
import { ApiError } from './api-error.ts'
import type { ApiServices } from './server.ts'

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
export function publishRoutes(context: CoreNodeContext, services: ApiServices) {
  return async (server: FastifyInstance): Promise<void> => {
    server.post('/api/v0/messages', async (request, reply) => {
      const { message, sync = false } = (request.body ?? {}) as { message?: unknown; sync?: unknown }
      if (typeof message !== 'object' || message === null || Array.isArray(message)) {
        throw new ApiError(422, 'INVALID_FORMAT', 'InvalidMessageFormat: message: must be an object')
      }
      if (typeof sync !== 'boolean') throw new ApiError(422, 'INVALID_FORMAT', 'sync: must be true or false')
      const publication = await publish(context, services, message, sync)
      return reply.code(publication.httpStatus).send(publication.body)
    })

    for (const path of ['/api/v0/p2p/pubsub/pub', '/api/v0/ipfs/pubsub/pub']) {
      server.post(path, async (request, reply) => {
        const { topic, data } = (request.body ?? {}) as { topic?: unknown; data?: unknown }
        const ours = context.profile.topics.messages
        if (topic !== ours) {
          throw new ApiError(403, 'unauthorized_topic', `Unauthorized P2P topic: ${topic}. Use ${ours}.`)
        }
        const message = typeof data === 'string' ? parseData(data) : data
        const { httpStatus, body } = await publish(context, services, message, false)
        if (httpStatus === 422) return reply.code(422).send(body)
        return { status: 'success', failed: [] }
      })
    }
  }
}

function parseData(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    throw new ApiError(422, 'INVALID_FORMAT', "'data': must be deserializable as JSON.")
  }
}
