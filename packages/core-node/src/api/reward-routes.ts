import { addressKey, apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { type DayRewards, RewardsUnavailableError } from '../rewards/rewards.ts'
import { ApiError } from './api-error.ts'
import { serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'

const statusOf: Record<RewardsUnavailableError['code'], number> = {
  no_registry: 501,
  not_yet: 404,
  busy: 503,
}
const nothing = '0.000000000000000000'

/** Who earns what, and why (protocol 06 §5). */
export function rewardRoutes(_context: ApiContext, { rewards }: ApiServices) {
  async function ofDay(day: string): Promise<DayRewards> {
    try {
      return await rewards.ofDay(secondsOf(day))
    } catch (error) {
      if (!(error instanceof RewardsUnavailableError)) throw error
      throw new ApiError(statusOf[error.code], error.code, error.message)
    }
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getRewards, async ({ params: { day } }) => {
      const found = await ofDay(day)
      const { rewards, slashed, paid } = found.rewards
      return { ...described(day, found), rewards, slashed, paid }
    })

    serve(server, apiRoutes.explainRewards, async ({ params: { day, address } }) => {
      const found = await ofDay(day)
      const owner = addressKey('ETH', address)
      const { rewards, details } = found
      const withheld = new Set(details.slashed.map(({ node, stream }) => `${stream} ${node}`))
      return {
        ...described(day, found),
        address: owner,
        reward: rewards.rewards[owner] ?? nothing,
        slashed: rewards.slashed[owner] ?? nothing,
        paid: rewards.paid[owner] ?? nothing,
        shares: details.shares
          .filter((share) => share.address === owner)
          .map(({ stream, work, role, node, amount }) => ({
            stream,
            work,
            role,
            node,
            amount: amount.toFixed(18),
            slashed: role === 'crn' && withheld.has(`${stream} ${node}`),
          })),
      }
    })
  }
}

function described(day: string, { rewards, closed }: DayRewards) {
  const { from, to, height, total, unallocated, devFund, kept, bySource } = rewards
  return { day, from, to, closed, height, total, unallocated, dev_fund: devFund, kept, by_source: bySource }
}

/** First second of a day. */
function secondsOf(day: string): number {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(time)) {
    throw new ApiError(400, 'bad_day', `"${day.slice(0, 32)}" is no day: give it as 2026-11-21`, {
      path: 'path.day',
    })
  }
  return time / 1000
}
