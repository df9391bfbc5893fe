import { z } from 'zod'
import { defineRoute } from './route.ts'

const tag = 'Rewards'
const aleph = z.string()
const byAddress = z.record(z.string(), aleph)

const periodSchema = z.object({
  day: z.string(),
  /** Epoch seconds. */
  from: z.number(),
  to: z.number(),
  closed: z.boolean(),
  height: z.number(),
  total: aleph,
  unallocated: aleph,
  dev_fund: aleph,
  kept: aleph,
  by_source: z.record(z.string(), aleph),
})

export const rewardApiRoutes = {
  getRewards: defineRoute({
    method: 'GET',
    path: '/api/v1/rewards/{day}',
    tag,
    summary: 'What a UTC day (2026-11-21) earns whom, in ALEPH',
    description:
      'Computed from confirmed messages and balances: every node answers the same, byte by byte. `closed` says that it ' +
      'is final; before, it tells about the day so far. `total` is the sum of `paid`, `slashed`, `unallocated`, ' +
      '`dev_fund` and `kept`, to the last unit.',
    answer: periodSchema.extend({ rewards: byAddress, slashed: byAddress, paid: byAddress }),
    statuses: { 404: 'The chain has confirmed nothing of that day.' },
  }),
  explainRewards: defineRoute({
    method: 'GET',
    path: '/api/v1/rewards/{day}/{address}',
    tag,
    summary: 'Why an address earns what it does on a UTC day: every share with its node',
    answer: periodSchema.extend({
      address: z.string(),
      reward: aleph,
      slashed: aleph,
      paid: aleph,
      shares: z.array(
        z.object({
          stream: z.string(),
          work: z.string().nullable(),
          role: z.string(),
          node: z.string(),
          amount: aleph,
          slashed: z.boolean(),
        }),
      ),
    }),
  }),
}
