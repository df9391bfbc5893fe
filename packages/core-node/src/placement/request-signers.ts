import { AllocationAuthError, allocationAuthLimits, verifyAllocationRequest } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiError } from '../api/api-error.ts'

/** How long an answered request may not come again, seconds: as long as its time of issue is in the window. */
const memorySeconds = 2 * allocationAuthLimits.clockSkewSeconds
const mostRemembered = 10_000

/** Lets the routes of a server have their bodies as bytes: a signature covers these. */
export function takeBytes(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  const bodyLimit = allocationAuthLimits.bodyBytes
  server.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) =>
    done(null, body),
  )
}

export function bodyOf({ body }: Pick<FastifyRequest, 'body'>): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

/**
 * Who signed requests, as compute nodes are told their plans (protocol 06 §7.4); none is taken twice.
 *
 * @param isSigner whether an address (EIP-55) may ask at all
 * @returns a function that throws {@link ApiError} unless a request bears a fresh signature
 */
export function requestSigners(
  isSigner: (address: string) => boolean,
): (request: Pick<FastifyRequest, 'headers' | 'method' | 'url' | 'body'>) => string {
  const seen = new Map<string, number>()
  return (request) => {
    const now = Date.now() / 1000
    for (const [payload, until] of seen) if (until < now) seen.delete(payload)
    const { signer, payloadHash } = verified(request, now, isSigner)
    if (seen.has(payloadHash) || seen.size >= mostRemembered) throw refused()
    seen.set(payloadHash, now + memorySeconds)
    return signer
  }
}

function verified(
  request: Pick<FastifyRequest, 'headers' | 'method' | 'url' | 'body'>,
  now: number,
  isSigner: (address: string) => boolean,
): { signer: string; payloadHash: string } {
  try {
    return verifyAllocationRequest({
      authorization: request.headers.authorization ?? '',
      method: request.method,
      path: request.url,
      query: '',
      body: bodyOf(request),
      now,
      isSigner,
    })
  } catch (error) {
    if (error instanceof AllocationAuthError) throw refused()
    throw error
  }
}

function refused(): ApiError {
  return new ApiError(401, 'unauthenticated', 'authorization: must be a fresh signature by who may ask this')
}
