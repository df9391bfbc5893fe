import { addressKey } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { ApiError } from '../api/api-error.ts'
import type { Placement } from './placement.ts'
import { requestSigners, takeBytes } from './request-signers.ts'

/** Where the operator says that the plan of a compute node is meant as it is, however much it stops. */
export function releasePath(computeNode: string): string {
  return `/scheduler/api/v1/nodes/${computeNode}/held-plan/release`
}

/** The operator's word about plans that are held back (protocol 06 §11 T19), signed with the key that plans are. */
export function heldPlanRoutes(placement: Placement): (server: FastifyInstance) => Promise<void> {
  const operator = addressKey('ETH', placement.operator)
  const authenticate = requestSigners((address) => addressKey('ETH', address) === operator)
  return async (server) => {
    takeBytes(server)
    server.post<{ Params: { node: string } }>(releasePath(':node'), async (request) => {
      authenticate(request)
      const { node } = request.params
      if (!placement.releasePlan(node)) {
        throw new ApiError(404, 'not_held', `The plan of ${node} is not held back here`)
      }
      return { released: node }
    })
  }
}
