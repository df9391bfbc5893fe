import { z } from 'zod'
import { flagField, hashField, integerField, textField } from './query-fields.ts'
import { defineRoute } from './route.ts'

const tag = 'Prices'

/** What a resource costs (protocol 03 §11). */
export const priceAnswer = z.looseObject({
  required_tokens: z.number().optional(),
  cost: z.string(),
  payment_type: z.string(),
  charged_address: z.string().nullish(),
  detail: z
    .array(
      z.looseObject({
        type: z.string(),
        name: z.string(),
        cost_hold: z.string(),
        cost_stream: z.string(),
        cost_credit: z.string().nullish(),
        size_mib: z.union([z.number(), z.string()]).nullish(),
      }),
    )
    .nullish(),
})
const example = {
  required_tokens: 1000,
  payment_type: 'hold',
  cost: '1000.000000000000000000',
  charged_address: '0x93…',
  detail: [
    {
      type: 'EXECUTION',
      name: 'EXECUTION',
      cost_hold: '1000.000000000000000000',
      cost_stream: '0.015277777777777777',
      cost_credit: '3.958333333333333333',
      size_mib: null,
    },
  ],
}

const recalculateAnswer = z.looseObject({ message: z.string() })

export const priceApiRoutes = {
  getPrice: defineRoute({
    method: 'GET',
    path: '/api/v0/price/{item_hash}',
    tag,
    summary: 'What a message on the network costs its owner',
    query: z.object({ includeSize: flagField.catch(false) }),
    snakeCaseQuery: true,
    answer: priceAnswer,
    statuses: { 409: 'Not processed yet; ask again.', 410: 'Forgotten or removed.' },
    example,
  }),
  estimatePrice: defineRoute({
    method: 'POST',
    path: '/api/v0/price/estimate',
    tag,
    summary: 'What a message would cost',
    description:
      'Needs no signature. Files that are not on the network yet may carry `estimated_size_mib` in the content.',
    body: z.looseObject({ message: z.record(z.string(), z.unknown()) }),
    answer: priceAnswer,
    example,
  }),
  estimateInstancePrice: defineRoute({
    method: 'POST',
    path: '/api/v0/price/estimate/instance',
    tag,
    summary: 'What an instance would cost, by its content alone',
    body: z.record(z.string(), z.unknown()),
    answer: priceAnswer,
    example,
  }),
  listCosts: defineRoute({
    method: 'GET',
    path: '/api/v0/costs',
    tag,
    summary: 'What runs and is kept costs, in sum and by resource',
    query: z.object({
      address: textField.optional(),
      itemHash: hashField.optional(),
      paymentType: z.enum(['credit', 'hold', 'superfluid']).default('credit'),
      includeDetails: integerField(0, 2)
        .default(0)
        .meta({ description: '1: resources; 2: their parts as well.' }),
      includeSize: flagField,
      pagination: integerField(10, 1000).default(100),
      page: integerField(1).default(1),
    }),
    snakeCaseQuery: true,
    answer: z.looseObject({
      summary: z.looseObject({
        total_consumed_credits: z.number().int(),
        total_cost_hold: z.string(),
        total_cost_stream: z.string(),
        total_cost_credit: z.string(),
        resource_count: z.number().int(),
      }),
      filters: z.looseObject({}),
      resources: z.array(z.looseObject({ item_hash: z.string(), owner: z.string() })).nullable(),
      pagination_page: z.number().int().nullable(),
      pagination_total: z.number().int().nullable(),
      pagination_per_page: z.number().int().nullable(),
      pagination_item: z.string().nullable(),
    }),
    example: {
      summary: {
        total_consumed_credits: 0,
        total_cost_hold: '0.000000000000000000',
        total_cost_stream: '0.000000000000000000',
        total_cost_credit: '0.000000000000000000',
        resource_count: 0,
      },
      filters: { address: null, item_hash: null, payment_type: 'credit' },
      resources: null,
      pagination_page: null,
      pagination_total: null,
      pagination_per_page: null,
      pagination_item: null,
    },
  }),
  recalculatePrices: defineRoute({
    method: 'POST',
    path: '/api/v0/price/recalculate',
    tag,
    summary: 'Not served: every node derives prices from the messages alone',
    answer: recalculateAnswer,
    statuses: { 401: 'No token.', 501: 'Not served.' },
  }),
  recalculatePrice: defineRoute({
    method: 'POST',
    path: '/api/v0/price/{item_hash}/recalculate',
    tag,
    summary: 'Not served: every node derives prices from the messages alone',
    answer: recalculateAnswer,
    statuses: { 401: 'No token.', 501: 'Not served.' },
  }),
}
