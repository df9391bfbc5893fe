import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ArrivalRequest, Arrivals } from './arrivals.ts'
import type { CallAnswer } from './compute-node-calls.ts'
import { arrivalsPath, migrationPaths } from './migration-paths.ts'
import { bodyOf, requestSigners, takeBytes } from './request-signers.ts'

interface NodeRequest {
  Params: { node: string; vm: string }
}

/**
 * Where another core node asks for a place for an instance of its own (protocol 06 §8.6): the calls of a compute node
 * (protocol 06 §7.4), below the path of the compute node that is meant, signed as they are.
 */
export function arrivalRoutes(arrivals: Arrivals): (server: FastifyInstance) => Promise<void> {
  // Whose VM it is comes to light later.
  const signerOf = requestSigners(() => true)
  const authenticate = (request: FastifyRequest<NodeRequest>): ArrivalRequest => {
    const { node: computeNode, vm: vmHash } = request.params
    return { signer: signerOf(request), computeNode, vmHash }
  }

  return async (server) => {
    takeBytes(server)
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

function passOn(reply: FastifyReply, { status, text }: CallAnswer): FastifyReply {
  return reply.code(status).type('application/json').send(text)
}
