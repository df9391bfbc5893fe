import { AllocationAuthError, allocationAuthLimits, verifyAllocationRequest } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import type { AllocationSigners } from './allocation-signers.ts'
import { planSchema } from './plan.ts'
import type { Reconciler } from './reconciler.ts'
import type { ReplayGuard } from './replay-guard.ts'

export interface AllocationRoutesOptions {
  signers: AllocationSigners
  replays: ReplayGuard
  reconciler: Reconciler
  /** Longest wait for starts before the answer, milliseconds. */
  waitMs: number
}

const REFUSAL = 'Authentication token received is invalid'

/** `POST /control/allocations` (protocol 05 §9.1), signed by a scheduler (05 §4.4). */
export async function allocationRoutes(
  app: FastifyInstance,
  options: AllocationRoutesOptions,
): Promise<void> {
  // The signature covers the very bytes of the body, whatever its content type says.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer', bodyLimit: allocationAuthLimits.bodyBytes },
    (_request, body, done) => done(null, body),
  )
  const onRequest = async (request: FastifyRequest) => assertBoundedBody(request)

  app.post('/control/allocations', { onRequest }, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    await authenticate(request, body, options)
    const plan = planSchema.safeParse(parseJson(body))
    if (!plan.success) {
      throw new AgentError('invalid_request', `Body is no allocation: ${z.prettifyError(plan.error)}`)
    }
    const outcome = await options.reconciler.apply(plan.data, options.waitMs)
    const { successful, failing } = outcome
    const status = failing.length === 0 ? 200 : successful.length === 0 ? 503 : 207
    return reply.code(status).send({ success: failing.length === 0, ...outcome })
  })
}

/** Refuses before reading anything when the body's length is not announced or too large. */
function assertBoundedBody(request: FastifyRequest): void {
  const announced = request.headers['content-length']
  if (announced === undefined || Number(announced) > allocationAuthLimits.bodyBytes) {
    throw new AgentError('unauthenticated', REFUSAL)
  }
}

async function authenticate(
  request: FastifyRequest,
  body: Buffer,
  options: AllocationRoutesOptions,
): Promise<void> {
  const now = Date.now() / 1000
  const signers = await options.signers.current()
  const url = request.raw.url ?? ''
  const at = url.indexOf('?')
  try {
    const { signer, payloadHash } = verifyAllocationRequest({
      authorization: request.headers.authorization ?? '',
      method: request.method,
      path: at < 0 ? url : url.slice(0, at),
      query: at < 0 ? '' : url.slice(at + 1),
      body,
      now,
      isSigner: (address) => signers.has(address.toLowerCase()),
    })
    if (await options.replays.accept(signer, payloadHash, now)) return
    request.log.warn({ signer }, 'allocation refused: this request was already obeyed')
  } catch (error) {
    if (!(error instanceof AllocationAuthError)) throw error
    request.log.warn({ code: error.code, reason: error.message }, 'allocation refused')
  }
  throw new AgentError('unauthenticated', REFUSAL)
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new AgentError('invalid_request', 'Body is not valid JSON')
  }
}
