import { z } from 'zod'
import { chainCodes } from '../message/chains.ts'
import { messageTypes } from '../message/envelope.ts'
import {
  flagField,
  integerField,
  listField,
  pageAnswer,
  pageFields,
  sortOrderField,
  textField,
} from './query-fields.ts'
import { defineRoute } from './route.ts'

const { cursor, page } = pageFields(20)
const upTo500 = integerField(1, 500).default(20)

const authorizationFields = {
  types: listField(z.enum(messageTypes)),
  channels: listField(textField),
  postTypes: listField(textField),
  chains: listField(z.enum(chainCodes)),
  aggregateKeys: listField(textField),
  pagination: upTo500,
  page,
}

const authorizationsAnswer = z.looseObject({
  authorizations: z.record(z.string(), z.array(z.looseObject({}))),
  ...pageAnswer,
  address: z.string(),
})

const exampleAuthorizations = {
  authorizations: { '0xGranteeB': [{ types: ['POST'], channels: ['chan1'], chain: 'ETH' }] },
  pagination_page: 1,
  pagination_per_page: 20,
  pagination_total: 1,
  pagination_item: 'authorizations',
  address: '0xOwnerA',
}

export const aggregateApiRoutes = {
  getAggregates: defineRoute({
    method: 'GET',
    path: '/api/v0/aggregates/{address}.json',
    tag: 'Aggregates',
    summary: 'The key-value store of one address',
    query: z.object({
      keys: listField(textField),
      limit: integerField(0).optional(),
      withInfo: flagField,
      valueOnly: flagField.meta({ description: 'With one key: the bare value.' }),
    }),
    snakeCaseQuery: true,
    answer: z.looseObject({
      address: z.string().optional(),
      data: z.record(z.string(), z.unknown()).nullish(),
      info: z.record(z.string(), z.unknown()).optional(),
    }),
    statuses: { 404: 'The address keeps nothing under these keys.' },
    example: { address: '0xabc', data: { profile: { name: 'Alice' } }, info: {} },
  }),
  listAggregates: defineRoute({
    method: 'GET',
    path: '/api/v0/aggregates.json',
    aliases: ['/api/v0/aggregates'],
    tag: 'Aggregates',
    summary: 'Aggregates of everybody',
    query: z.object({
      page,
      pagination: upTo500,
      cursor,
      keys: listField(textField),
      addresses: listField(textField),
      sortBy: z.enum(['last_modified', 'creation_time']).default('last_modified'),
      sortOrder: sortOrderField,
    }),
    answer: z.looseObject({
      aggregates: z.array(z.looseObject({ address: z.string(), key: z.string() })),
      ...pageAnswer,
    }),
    example: {
      aggregates: [
        {
          address: '0xabc',
          key: 'profile',
          content: { name: 'Alice' },
          created: '2023-05-01T00:00:00+00:00',
          last_updated: '2023-05-01T00:00:00+00:00',
        },
      ],
      pagination_per_page: 20,
      next_cursor: null,
      pagination_item: 'aggregates',
    },
  }),
  listGrantedAuthorizations: defineRoute({
    method: 'GET',
    path: '/api/v0/authorizations/granted/{address}.json',
    tag: 'Authorizations',
    summary: 'Who may act for an address',
    query: z.object({ ...authorizationFields, grantee: textField.optional() }),
    answer: authorizationsAnswer,
    example: exampleAuthorizations,
  }),
  listReceivedAuthorizations: defineRoute({
    method: 'GET',
    path: '/api/v0/authorizations/received/{address}.json',
    tag: 'Authorizations',
    summary: 'For whom an address may act',
    query: z.object({ ...authorizationFields, granter: textField.optional() }),
    answer: authorizationsAnswer,
    example: exampleAuthorizations,
  }),
}
