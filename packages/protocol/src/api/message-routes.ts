import { z } from 'zod'
import { chainCodes } from '../message/chains.ts'
import { messageStatuses, messageTypes } from '../message/envelope.ts'
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

const tag = 'Messages'
const { page, pagination } = pageFields(20)
const paymentTypes = z.enum(['hold', 'superfluid', 'credit'])

/** A message as core nodes serve it (protocol 03 §4.1); unknown keys of other versions are kept. */
export const apiMessageSchema = z.looseObject({
  item_hash: z.string(),
  type: z.string(),
  chain: z.string(),
  sender: z.string(),
  signature: z.string().nullish(),
  item_type: z.string(),
  item_content: z.string().nullish(),
  content: z.record(z.string(), z.unknown()).nullish(),
  time: z.union([z.number(), z.string()]),
  channel: z.string().nullish(),
  size: z.number().nullish(),
  confirmed: z.boolean().nullish(),
  confirmations: z
    .array(z.looseObject({ chain: z.string(), height: z.number(), hash: z.string() }))
    .nullish(),
})

/** Parameters that choose messages (protocol 03 §4.1), for lists and feeds alike. */
export const messageFilterFields = {
  msgType: z.enum(messageTypes).optional(),
  msgTypes: listField(z.enum(messageTypes)),
  messageType: z.enum(messageTypes).optional().meta({ deprecated: true }),
  messageTypes: listField(z.enum(messageTypes)).meta({ deprecated: true }),
  msgStatuses: listField(z.enum(messageStatuses)),
  messageStatuses: listField(z.enum(messageStatuses)).meta({ deprecated: true }),
  addresses: listField(textField).meta({ description: 'Who signed.' }),
  owners: listField(textField).meta({ description: 'Whose message it is: `content.address`.' }),
  refs: listField(textField),
  contentHashes: listField(hashField),
  contentKeys: listField(textField),
  contentTypes: listField(textField),
  chains: listField(z.enum(chainCodes)),
  channels: listField(textField),
  tags: listField(textField),
  hashes: listField(hashField),
  paymentTypes: listField(paymentTypes),
  startDate: secondsField,
  endDate: secondsField,
  startBlock: integerField(0).default(0),
  endBlock: integerField(0).default(0),
  sortBy: z.enum(['time', 'tx-time']).default('time'),
  sortOrder: sortOrderField,
  contentFormat: z.enum(['full', 'headers', 'none']).optional(),
  excludeContent: flagField.meta({ deprecated: true }),
}

export const messageFilterSchema = z.object(messageFilterFields)

const exampleMessage = {
  item_hash: '4c33dd1ebf61bbb4342d8258b591fcd52cca73fd7c425542f78311d8f45ba274',
  type: 'POST',
  chain: 'ETH',
  sender: '0x696879aE4F6d8DaDD5b8F1cbb1e663B89b08f106',
  signature: '0x999a…',
  item_type: 'inline',
  item_content: '{"address":"0x696879aE4F6d8DaDD5b8F1cbb1e663B89b08f106","time":1652126646.5,…}',
  content: { address: '0x696879aE4F6d8DaDD5b8F1cbb1e663B89b08f106', time: 1652126646.5, type: 'test' },
  time: 1652126646.500869,
  channel: 'unit-tests',
  size: 208,
  confirmations: [],
  confirmed: false,
}
const examplePage = {
  pagination_page: 1,
  pagination_per_page: 20,
  pagination_total: 1,
}

const listMessages = defineRoute({
  method: 'GET',
  path: '/api/v0/messages.json',
  tag,
  summary: 'Messages, newest first',
  description:
    'Different parameters narrow the list, the values of one widen it. `msgStatuses=forgotten` and `removed` list what ' +
    'is left of such messages and take fewer filters.',
  query: z.object({ ...messageFilterFields, ...pageFields(20) }),
  answer: z.looseObject({ messages: z.array(apiMessageSchema), ...pageAnswer }),
  example: { messages: [exampleMessage], ...examplePage, pagination_item: 'messages' },
})

const statusAnswer = z.looseObject({
  status: z.enum(messageStatuses),
  item_hash: z.string(),
  reception_time: z.string().nullish(),
})

/** What the network says about a message that was sent. */
const publicationAnswer = z.looseObject({
  publication_status: z.looseObject({ status: z.string(), failed: z.array(z.string()) }).nullish(),
  message_status: z.enum(messageStatuses).nullish(),
})

const legacyPublish = z.looseObject({ topic: z.unknown(), data: z.unknown() })

export const messageApiRoutes = {
  listMessages,
  listMessagesByPage: defineRoute({
    ...listMessages,
    path: '/api/v0/messages/page/{page}.json',
    summary: 'Messages, with the page in the path',
  }),
  listHashes: defineRoute({
    method: 'GET',
    path: '/api/v0/messages/hashes',
    tag,
    summary: 'Hashes of messages in the order they came to this node',
    query: z.object({
      page,
      pagination,
      status: z.enum(messageStatuses).optional(),
      startDate: secondsField,
      endDate: secondsField,
      sortOrder: sortOrderField,
      hashOnly: flagField.default(true),
    }),
    answer: z.looseObject({ hashes: z.array(z.unknown()), ...pageAnswer }),
    example: { hashes: [exampleMessage.item_hash], ...examplePage, pagination_item: 'hashes' },
  }),
  getMessage: defineRoute({
    method: 'GET',
    path: '/api/v0/messages/{item_hash}',
    tag,
    summary: 'One message with its status',
    answer: z.looseObject({
      ...statusAnswer.shape,
      message: z.unknown().optional(),
      messages: z.array(z.unknown()).optional(),
      error_code: z.number().nullish(),
      details: z.unknown().optional(),
      forgotten_by: z.array(z.string()).nullish(),
      reason: z.string().nullish(),
    }),
    statuses: { 410: 'Removed, and nothing of it is left.' },
    example: {
      status: 'processed',
      item_hash: exampleMessage.item_hash,
      reception_time: '2022-05-09T20:04:06Z',
      message: exampleMessage,
    },
  }),
  getMessageContent: defineRoute({
    method: 'GET',
    path: '/api/v0/messages/{item_hash}/content',
    tag,
    summary: 'The content of a processed message; of a post its inner content',
    answer: z.unknown(),
    statuses: { 410: 'Its content is gone.', 422: 'It is not processed.' },
    example: { title: 'My first post' },
  }),
  getMessageStatus: defineRoute({
    method: 'GET',
    path: '/api/v0/messages/{item_hash}/status',
    tag,
    summary: 'The status of a message',
    answer: statusAnswer,
    example: {
      status: 'processed',
      item_hash: exampleMessage.item_hash,
      reception_time: '2022-05-09T20:04:06Z',
    },
  }),
  publishMessage: defineRoute({
    method: 'POST',
    path: '/api/v0/messages',
    tag,
    summary: 'Publish a signed message',
    description:
      '202 says that the message is safe and will be processed; with `sync` the answer waits for that, 30 seconds at most.',
    body: z.looseObject({
      message: z.record(z.string(), z.unknown()),
      sync: z.boolean().default(false),
    }),
    answer: publicationAnswer,
    statuses: {
      202: 'Taken; not processed yet.',
      410: 'It was forgotten or removed.',
      422: 'Refused: `error_code` and `details` say why.',
    },
    example: { publication_status: { status: 'success', failed: [] }, message_status: 'processed' },
  }),
  publishOnTopic: defineRoute({
    method: 'POST',
    path: '/api/v0/p2p/pubsub/pub',
    aliases: ['/api/v0/ipfs/pubsub/pub'],
    tag,
    summary: 'Publish, the old form',
    body: legacyPublish,
    answer: z.looseObject({ status: z.string(), failed: z.array(z.string()) }),
    statuses: { 403: 'The topic is not that of messages.' },
    example: { status: 'success', failed: [] },
  }),
  watchMessages: defineRoute({
    method: 'GET',
    path: '/api/ws0/messages',
    tag,
    summary: 'WebSocket: the latest messages, then every message as it is processed',
    description:
      'One JSON object per frame, in the form of the list. `/api/v1/events` can resume; this cannot.',
    query: z.object({ ...messageFilterFields, history: integerField(0, 199).default(10) }),
    answer: { raw: 'application/json', description: 'Frames of a WebSocket' },
    statuses: { 101: 'The feed begins.', 426: 'It was not asked for as a WebSocket.' },
  }),
}
