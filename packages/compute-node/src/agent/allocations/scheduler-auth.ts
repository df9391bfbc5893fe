import { createHash, timingSafeEqual } from 'node:crypto'
import {
  AllocationAuthError,
  type AllocationClaim,
  allocationAuthLimits,
  assertSignedBody,
  verifyAllocationHead,
} from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AgentError } from '../errors.ts'
import type { AllocationSigners } from './allocation-signers.ts'
import type { ReplayGuard } from './replay-guard.ts'

export interface SchedulerAuthOptions {
  signers: Pick<AllocationSigners, 'current'>
  replays: Pick<ReplayGuard, 'accept'>
  /** sha256 hex of the secret by which older schedulers are known; null: they are not. */
  tokenHash: string | null
}

/** What is taken of a scheduler at one door. */
export interface SchedulerDoor {
  maxBytes: number
  /** Whether one who is believed is told that a body is too large; anybody else never is. */
  tellsTooLarge: boolean
  /** Whether the secret of older schedulers opens it. */
  takesToken: boolean
}

/** Everything schedulers say but plans of version 2 (protocol 05 §4.4, §4.5). */
export const schedulerDoor: SchedulerDoor = {
  maxBytes: allocationAuthLimits.bodyBytes,
  tellsTooLarge: false,
  takesToken: true,
}

/** Plans of version 2, which may bring their messages along (protocol 05 §20). */
export const planV2Door: SchedulerDoor = {
  maxBytes: allocationAuthLimits.planV2BodyBytes,
  tellsTooLarge: true,
  takesToken: false,
}

const REFUSAL = 'Authentication token received is invalid'

/** Has every body arrive as its very bytes, which the signature covers, whatever its content type says. */
export function takeRawBodies(app: FastifyInstance, maxBytes: number): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) =>
    done(null, body),
  )
}

/**
 * Believes schedulers, by their signatures or, where the operator wants it, by the secret of older ones (protocol 05
 * §4.4, §4.5). The refusal says nothing to whom it does not concern; why is in the log.
 */
export class SchedulerAuth {
  readonly #options: SchedulerAuthOptions
  /** Requests that came through the door; `null` those with the secret, which covers no body. */
  readonly #claims = new WeakMap<FastifyRequest, AllocationClaim | null>()

  constructor(options: SchedulerAuthOptions) {
    this.#options = options
  }

  /** A hook for `onRequest`: nothing is read from who is not believed. Throws AgentError. */
  through(door: SchedulerDoor): (request: FastifyRequest) => Promise<void> {
    return async (request) => {
      const announced = request.headers['content-length']
      const isBounded = announced !== undefined && Number(announced) <= door.maxBytes
      if (request.method !== 'GET' && !isBounded && !door.tellsTooLarge) throw refused()
      this.#claims.set(request, await this.#claim(request, door))
      if (request.method === 'GET' || isBounded) return
      throw new AgentError('body_too_large', `Announce a body of at most ${door.maxBytes} bytes`)
    }
  }

  /** The body of a request that came through a door, once it is the signed one and new. Throws AgentError. */
  async body(request: FastifyRequest): Promise<Buffer> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const claim = this.#claims.get(request)
    if (claim === undefined) throw refused()
    if (claim === null) return body
    this.#believing(request, () => assertSignedBody(claim, body))
    const { signer, payloadHash } = claim
    if (await this.#options.replays.accept(signer, payloadHash, Date.now() / 1000)) return body
    request.log.warn({ signer }, 'allocation refused: this request was already obeyed')
    throw refused()
  }

  async #claim(request: FastifyRequest, { takesToken }: SchedulerDoor): Promise<AllocationClaim | null> {
    const { authorization, 'x-auth-signature': token } = request.headers
    if (authorization === undefined && typeof token === 'string') {
      if (takesToken && this.#isToken(token)) return null
      request.log.warn('allocation refused: the secret of older schedulers is wrong or not taken here')
      throw refused()
    }
    const signers = await this.#options.signers.current()
    const url = request.raw.url ?? ''
    const at = url.indexOf('?')
    return this.#believing(request, () =>
      verifyAllocationHead({
        authorization: authorization ?? '',
        method: request.method,
        path: at < 0 ? url : url.slice(0, at),
        query: at < 0 ? '' : url.slice(at + 1),
        now: Date.now() / 1000,
        isSigner: (address) => signers.has(address.toLowerCase()),
      }),
    )
  }

  #isToken(token: string): boolean {
    const { tokenHash } = this.#options
    if (tokenHash === null) return false
    return timingSafeEqual(createHash('sha256').update(token).digest(), Buffer.from(tokenHash, 'hex'))
  }

  #believing<T>(request: FastifyRequest, verify: () => T): T {
    try {
      return verify()
    } catch (error) {
      if (!(error instanceof AllocationAuthError)) throw error
      request.log.warn({ code: error.code, reason: error.message }, 'allocation refused')
      throw refused()
    }
  }
}

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
