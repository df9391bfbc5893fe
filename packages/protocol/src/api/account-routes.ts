import { z } from 'zod'
import { chainCodes } from '../message/chains.ts'
import { messageTypes } from '../message/envelope.ts'
import {
  flagField,
  hashField,
  integerField,
  listField,
  pageAnswer,
  pageFields,
  secondsField,
  sortOrderField,
  textField,
} from './query-fields.ts'
import { defineRoute } from './route.ts'

const tag = 'Accounts'
const text = textField.optional()

/** Parameters that choose entries of the credit history (protocol 03 §10.5). */
const creditFilterFields = {
  txHash: text,
  token: text,
  chain: text,
  provider: text,
  origin: text,
  originRef: text,
  paymentMethod: text,
  excludePaymentMethod: listField(textField),
  hasExpiration: flagField.optional(),
  startDate: secondsField,
  endDate: secondsField,
  direction: z.enum(['incoming', 'outgoing']).optional(),
  resourceTypes: listField(z.enum(messageTypes)),
  resource: hashField.optional(),
}

const statsAnswer = z.record(
  z.string(),
  z.looseObject({
    messages: z.number().int(),
    aggregate: z.number().int(),
    forget: z.number().int(),
    instance: z.number().int(),
    post: z.number().int(),
    program: z.number().int(),
    store: z.number().int(),
  }),
)
const statsExample = {
  '0xabc': { messages: 3, aggregate: 1, forget: 0, instance: 0, post: 1, program: 0, store: 1 },
}
const sortColumns = ['total', 'post', 'aggregate', 'store', 'forget', 'program', 'instance'] as const

export const accountApiRoutes = {
  getBalance: defineRoute({
    method: 'GET',
    path: '/api/v0/addresses/{address}/balance',
    tag,
    summary: 'ALEPH and credits of an address',
    query: z.object({ chain: z.enum(chainCodes).optional(), includeCreditDetails: flagField }),
    snakeCaseQuery: true,
    answer: z.looseObject({
      address: z.string(),
      balance: z.number(),
      details: z.record(z.string(), z.number()).nullish(),
      locked_amount: z.number().nullish(),
      credit_balance: z.number().nullish(),
      credit_balance_details: z
        .array(z.looseObject({ expiration_date: z.string().nullable(), amount: z.number() }))
        .nullish(),
    }),
    example: {
      address: '0xabc',
      balance: 10.5,
      details: { ETH: 10.5 },
      locked_amount: 2,
      credit_balance: 300,
      credit_balance_details: null,
    },
  }),
  listBalances: defineRoute({
    method: 'GET',
    path: '/api/v0/balances',
    tag,
    summary: 'Who holds ALEPH',
    query: z.object({
      ...pageFields(100),
      chains: listField(z.enum(chainCodes)),
      minBalance: integerField(0).default(0),
    }),
    snakeCaseQuery: true,
    answer: z.looseObject({
      balances: z.array(z.looseObject({ address: z.string(), balance: z.number(), chain: z.string() })),
      ...pageAnswer,
    }),
    example: {
      balances: [{ address: '0xabc', balance: 10.5, chain: 'ETH' }],
      pagination_per_page: 100,
      next_cursor: null,
      pagination_item: 'balances',
    },
  }),
  listCreditBalances: defineRoute({
    method: 'GET',
    path: '/api/v0/credit_balances',
    tag,
    summary: 'Who has credits',
    query: z.object({ ...pageFields(100), minBalance: integerField(0).default(0) }),
    snakeCaseQuery: true,
    answer: z.looseObject({
      credit_balances: z.array(z.looseObject({ address: z.string(), credits: z.number().int() })),
      ...pageAnswer,
    }),
    example: {
      credit_balances: [],
      pagination_per_page: 100,
      next_cursor: null,
      pagination_item: 'credit_balances',
    },
  }),
  listFiles: defineRoute({
    method: 'GET',
    path: '/api/v0/addresses/{address}/files',
    tag,
    summary: 'Files that an address keeps',
    query: z.object({ ...pageFields(100), sortOrder: sortOrderField, fileHash: hashField.optional() }),
    snakeCaseQuery: true,
    answer: z.looseObject({
      address: z.string(),
      total_size: z.number(),
      files: z.array(
        z.looseObject({
          file_hash: z.string(),
          size: z.number(),
          type: z.string(),
          created: z.union([z.string(), z.number()]),
          item_hash: z.string(),
        }),
      ),
      ...pageAnswer,
    }),
    statuses: { 404: 'It keeps none.' },
    example: {
      address: '0xabc',
      total_size: 11,
      files: [
        { file_hash: 'bb6e…', size: 11, type: 'file', created: '2024-01-01T00:00:00Z', item_hash: '1111…' },
      ],
      pagination_page: 1,
      pagination_total: 1,
      pagination_per_page: 100,
    },
  }),
  listCreditHistory: defineRoute({
    method: 'GET',
    path: '/api/v0/addresses/{address}/credit_history',
    tag,
    summary: 'Credits that came to an address and that it spent',
    query: z.object({
      ...pageFields(0),
      ...creditFilterFields,
      sortBy: z
        .enum([
          'message_timestamp',
          'expiration_date',
          'payment_method',
          'amount',
          'origin',
          'tx_hash',
          'provider',
        ])
        .default('message_timestamp'),
      sortOrder: sortOrderField,
    }),
    snakeCaseQuery: true,
    answer: z.looseObject({
      address: z.string(),
      credit_history: z.array(z.looseObject({ amount: z.number(), credit_ref: z.string() })),
      ...pageAnswer,
    }),
    statuses: { 404: 'There is none.' },
  }),
  getCreditSummary: defineRoute({
    method: 'GET',
    path: '/api/v0/addresses/{address}/credit_history/summary',
    tag,
    summary: 'Sums of the credit history',
    query: z.object(creditFilterFields),
    snakeCaseQuery: true,
    answer: z.looseObject({
      address: z.string(),
      entry_count: z.number().int(),
      total_amount: z.number().int(),
      total_incoming: z.number().int(),
      total_outgoing: z.number().int(),
    }),
  }),
  listPostTypes: defineRoute({
    method: 'GET',
    path: '/api/v0/addresses/{address}/post_types',
    tag,
    summary: 'Types of the posts that an address sent',
    answer: z.looseObject({ address: z.string(), post_types: z.array(z.string()) }),
    example: { address: '0xabc', post_types: ['blog', 'news'] },
  }),
  listAddressChannels: defineRoute({
    method: 'GET',
    path: '/api/v0/addresses/{address}/channels',
    tag,
    summary: 'Channels that an address uses',
    answer: z.looseObject({ address: z.string(), channels: z.array(z.string()) }),
    example: { address: '0xabc', channels: ['TEST'] },
  }),
  getAddressStats: defineRoute({
    method: 'GET',
    path: '/api/v0/addresses/stats.json',
    tag,
    summary: 'How many messages addresses sent',
    description: 'Give `addresses[]` once for each address; without it the thousand most active are told.',
    answer: z.looseObject({ data: statsAnswer }),
    example: { data: statsExample },
  }),
  listAddressStats: defineRoute({
    method: 'GET',
    path: '/api/v1/addresses/stats.json',
    tag,
    summary: 'How many messages addresses sent, as a list',
    query: z.object({
      ...pageFields(20),
      addressContains: textField.max(66).optional(),
      sortBy: z.enum(sortColumns).default('total'),
      sortOrder: sortOrderField,
    }),
    answer: z.looseObject({ data: statsAnswer, ...pageAnswer }),
    example: {
      data: statsExample,
      pagination_page: 1,
      pagination_per_page: 20,
      pagination_total: 1,
      pagination_item: 'addresses',
    },
  }),
  getConsumedCredits: defineRoute({
    method: 'GET',
    path: '/api/v0/messages/{item_hash}/consumed_credits',
    tag,
    summary: 'Credits that a message has cost',
    answer: z.looseObject({ item_hash: z.string(), consumed_credits: z.number().int() }),
    example: { item_hash: 'abab…', consumed_credits: 0 },
  }),
}
