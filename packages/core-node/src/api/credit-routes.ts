import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { ApiError } from './api-error.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

/** Credits of accounts (protocol 03 §10.3, §10.5, §10.8); the node keeps no ledger of them yet and says so. */
export function creditRoutes(_context: ApiContext) {
  return async (server: FastifyInstance): Promise<void> => {
    for (const route of [
      apiRoutes.listCreditBalances,
      apiRoutes.listCreditHistory,
      apiRoutes.getCreditSummary,
      apiRoutes.getConsumedCredits,
    ]) {
      serve(server, route, () => {
        throw new ApiError(501, 'not_served', 'This node keeps no ledger of credits yet')
      })
    }
  }
}
