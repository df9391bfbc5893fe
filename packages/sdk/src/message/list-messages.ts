import { apiMessageSchema, type MessageType } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { type QueryValue, requestJson } from '../http/request.ts'
import type { NetworkMessage } from './message-shape.ts'

/** Filters are joined by "and", the values of one filter by "or" (protocol 03 §4.1). */
export interface MessageFilter {
  types?: readonly MessageType[]
  /** Who signed. */
  senders?: readonly string[]
  /** Whose message it is: `content.address`. */
  owners?: readonly string[]
  channels?: readonly string[]
  chains?: readonly string[]
  tags?: readonly string[]
  refs?: readonly string[]
  hashes?: readonly string[]
  contentTypes?: readonly string[]
  contentKeys?: readonly string[]
  contentHashes?: readonly string[]
  /** Seconds since 1970, inclusive. */
  startTime?: number
  /** Seconds since 1970, exclusive. */
  endTime?: number
}

export interface ListMessagesOptions extends MessageFilter {
  page?: number
  /** Messages per page, 20 by default. */
  pageSize?: number
  order?: 'newest' | 'oldest'
  signal?: AbortSignal
}

export interface MessagePage {
  messages: NetworkMessage[]
  page: number
  pageSize: number
  total: number
}

const pageSchema = z.looseObject({
  messages: z.array(apiMessageSchema),
  pagination_page: z.number().nullish(),
  pagination_per_page: z.number().nullish(),
  pagination_total: z.number().nullish(),
})

/** One page of processed messages, newest first. */
export async function listMessages(
  context: ClientContext,
  options: ListMessagesOptions = {},
): Promise<MessagePage> {
  const { page = 1, pageSize = 20, order = 'newest', signal } = options
  const answer = await requestJson(context.core, '/api/v0/messages.json', {
    query: {
      ...filterQuery(options),
      page,
      pagination: pageSize,
      sortOrder: order === 'newest' ? -1 : 1,
    },
    ...(signal ? { signal } : {}),
  })
  const body = parseAnswer(pageSchema, answer)
  return {
    messages: body.messages,
    page: body.pagination_page ?? page,
    pageSize: body.pagination_per_page ?? pageSize,
    total: body.pagination_total ?? body.messages.length,
  }
}

/** The filter in the names the nodes understand. */
export function filterQuery(filter: MessageFilter): Record<string, QueryValue> {
  const [type, ...others] = filter.types ?? []
  return {
    // Live feeds of reference nodes know only the singular form (protocol 03 §5.1).
    ...(others.length === 0 ? { msgType: type } : { msgTypes: filter.types }),
    addresses: filter.senders,
    owners: filter.owners,
    channels: filter.channels,
    chains: filter.chains,
    tags: filter.tags,
    refs: filter.refs,
    hashes: filter.hashes,
    contentTypes: filter.contentTypes,
    contentKeys: filter.contentKeys,
    contentHashes: filter.contentHashes,
    startDate: filter.startTime,
    endDate: filter.endTime,
  }
}
