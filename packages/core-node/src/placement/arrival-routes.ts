import { AllocationAuthError, allocationAuthLimits, verifyAllocationRequest } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ApiError } from '../api/api-error.ts'
import type { ArrivalRequest, Arrivals } from './arrivals.ts'
import type { CallAnswer } from './compute-node-calls.ts'
import { arrivalsPath, migrationPaths } from './migration-paths.ts'

interface NodeRequest {
  Params: { node: string; vm: string }
}

/** How long an answered request may not come again, seconds: as long as its time of issue is in the window. */
const memorySeconds = 2 * allocationAuthLimits.clockSkewSeconds
const mostRemembered = 10_000

/**
 * Where another core node asks for a place for an instance of its own (protocol 06 §8.6): the calls of a compute node
 * (protocol 06 §7.4), below the path of the compute node that is meant, signed as they are.
 */
export function arrivalRoutes(arrivals: Arrivals): (server: FastifyInstance) => Promise<void> {
  const seen = new Map<string, number>()

  function authenticate(request: FastifyRequest<NodeRequest>): ArrivalRequest {
    const { node: computeNode, vm: vmHash } = request.params
    const now = Date.now() / 1000
    for (const [payload, until] of seen) if (until < now) seen.delete(payload)
    const { signer, payloadHash } = verified(request, now)
    if (seen.has(payloadHash) || seen.size >= mostRemembered) throw refused()
    seen.set(payloadHash, now + memorySeconds)
    return { signer, computeNode, vmHash }
  }

  return async (server) => {
    // The signature covers the very bytes.
    server.removeAllContentTypeParsers()
    const bodyLimit = allocationAuthLimits.bodyBytes
    server.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) =>
      done(null, body),
    )
    const base = arrivalsPath(':node', ':vm')

    server.post<NodeRequest>(`${base}${migrationPaths.room}`, async (request) => {
      const asked = authenticate(request)
      const code = await arrivals.refusal(asked)
      const verdict = code === null ? { accepted: true } : { accepted: false, code }
      return { results: { [asked.vmHash]: verdict } }
    })
    server.post<NodeRequest>(`${base}${migrationPaths.begin}`, async (request, reply) =>
      passOn(reply, await arrivals.begin(authenticate(request), bodyOf(request))),
    )
    server.get<NodeRequest>(`${base}${migrationPaths.status(':same')}`, async (request, reply) =>
      passOn(reply, await arrivals.status(authenticate(request))),
    )
  }
}

function verified(request: FastifyRequest, now: number): { signer: string; payloadHash: string } {
  try {
    return verifyAllocationRequest({
      authorization: request.headers.authorization ?? '',
      method: request.method,
      path: request.url,
      query: '',
      body: bodyOf(request),
      now,
      // Whose VM it is comes to light later.
      isSigner: () => true,
    })
  } catch (error) {
    if (error instanceof AllocationAuthError) throw refused()
    throw error
  }
}

function refused(): ApiError {
  return new ApiError(401, 'unauthenticated', 'authorization: must be a fresh signature of a core node')
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function passOn(reply: FastifyReply, { status, text }: CallAnswer): FastifyReply {
  return reply.code(status).type('application/json').send(text)
}
