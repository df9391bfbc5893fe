import type { PaymentType } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const resourceSchema = z.looseObject({
  item_hash: z.string(),
  payment_type: z.string(),
  consumed_credits: z.number(),
  cost_hold: z.string(),
  cost_stream: z.string(),
  cost_credit: z.string(),
})
const costsSchema = z.looseObject({ resources: z.array(resourceSchema).nullable() })

/** Something an account pays for. */
export interface ResourceCost {
  itemHash: string
  paymentType: PaymentType
  /** Decimal text: ALEPH to hold, ALEPH per second, or credits per second. */
  cost: string
  consumedCredits: number
}

const pageSize = 1000
const costOf = { hold: 'cost_hold', superfluid: 'cost_stream', credit: 'cost_credit' } as const

/** What an account pays in one way for what it runs and keeps (protocol 03 §11.4). */
export async function listCosts(
  context: ClientContext,
  address: string,
  paymentType: PaymentType,
  options: { signal?: AbortSignal } = {},
): Promise<ResourceCost[]> {
  const costs: ResourceCost[] = []
  for (let page = 1; ; page++) {
    const answer = await requestJson(context.core, '/api/v0/costs', {
      query: {
        address,
        payment_type: paymentType,
        include_details: '1',
        pagination: String(pageSize),
        page: String(page),
      },
      ...options,
    })
    const { resources } = parseAnswer(costsSchema, answer)
    for (const resource of resources ?? []) {
      costs.push({
        itemHash: resource.item_hash,
        paymentType,
        cost: resource[costOf[paymentType]],
        consumedCredits: resource.consumed_credits,
      })
    }
    if ((resources ?? []).length < pageSize) return costs
  }
}
