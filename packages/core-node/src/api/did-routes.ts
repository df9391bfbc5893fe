import {
  addressKey,
  DidError,
  type DidResolution,
  didContentType,
  didResolution,
  failedDidResolution,
  parseDid,
} from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import type { CoreNodeContext } from '../context.ts'
import { loadAggregates } from '../state/aggregates.ts'

/** Status of the answer, by what went wrong (W3C DID Resolution, HTTP binding). */
const statusOf: Record<string, number> = { invalidDid: 400, notFound: 404, methodNotSupported: 501 }
const resolutionType = 'application/did-resolution'

/**
 * DID documents of accounts, with their delegates. Who accepts `application/did-resolution` gets the document with its
 * metadata; everybody gets that when there is no document.
 */
export function didRoutes({ pool }: CoreNodeContext) {
  async function resolve(did: string): Promise<DidResolution> {
    try {
      const account = parseDid(did)
      const owner = addressKey(account.chain, account.address)
      return didResolution(account, (await loadAggregates(pool, 'security', [owner])).get(owner) ?? null)
    } catch (error) {
      if (error instanceof DidError) return failedDidResolution(error)
      throw error
    }
  }

  return async (server: FastifyInstance): Promise<void> => {
    server.get<{ Params: { did: string } }>('/api/v1/did/:did', async (request, reply) => {
      const resolution = await resolve(request.params.did)
      const { didResolutionMetadata: metadata, didDocument } = resolution
      if ('error' in metadata) reply.code(statusOf[metadata.error] ?? 500)
      const wantsAll = /did-resolution/.test(request.headers.accept ?? '')
      if (didDocument && !wantsAll) return reply.type(didContentType).send(JSON.stringify(didDocument))
      if (wantsAll) return reply.type(resolutionType).send(JSON.stringify(resolution))
      const isFailure = 'error' in metadata
      return isFailure ? { ...resolution, error: metadata.message, code: metadata.error } : resolution
    })
  }
}
