import { AllocationAuthError, verifyAllocationRequest } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AgentError } from '../errors.ts'
import type { AllocationSigners } from './allocation-signers.ts'
import type { ReplayGuard } from './replay-guard.ts'

export interface SchedulerAuthOptions {
  signers: AllocationSigners
  replays: ReplayGuard
}

const REFUSAL = 'Authentication token received is invalid'

/** Has every body arrive as its very bytes, which the signature covers, whatever its content type says. */
export function takeRawBodies(app: FastifyInstance, maxBytes: number): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) =>
    done(null, body),
  )
}

/** Refuses before reading anything when the body's length is not announced or too large. */
export function assertBoundedBody(request: FastifyRequest, maxBytes: number): void {
  const announced = request.headers['content-length']
  if (announced === undefined || Number(announced) > maxBytes) throw refused()
}

/** The request's body, once a scheduler's signature over it was believed (protocol 05 §4.4). */
export async function authenticateScheduler(
  request: FastifyRequest,
  options: SchedulerAuthOptions,
): Promise<Buffer> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
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
    if (await options.replays.accept(signer, payloadHash, now)) return body
    request.log.warn({ signer }, 'allocation refused: this request was already obeyed')
  } catch (error) {
    if (!(error instanceof AllocationAuthError)) throw error
    request.log.warn({ code: error.code, reason: error.message }, 'allocation refused')
  }
  throw refused()
}

/** The one refusal, which says nothing to whom it does not concern. */
function refused(): AgentError {
  return new AgentError('unauthenticated', REFUSAL)
}

/** JSON of a body. Throws AgentError `invalid_request`. */
export function parseJsonBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new AgentError('invalid_request', 'Body is not valid JSON')
  }
}
