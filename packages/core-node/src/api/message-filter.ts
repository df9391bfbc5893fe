import { chainCodes, messageTypes } from '@aleph-ts/protocol'
import { type ExpressionBuilder, sql } from 'kysely'
import { z } from 'zod'
import type { Database, MessagesTable } from '../database/schema.ts'
import { QueryError } from './api-error.ts'
import { flag, hash, list, parseQuery, seconds, sortOrder, text } from './query.ts'

const statuses = ['processed', 'removing', 'pending', 'rejected', 'forgotten', 'removed'] as const
const contentFormats = ['full', 'headers', 'none'] as const

/** Parameters that choose messages (protocol 03 §4.1), for lists and feeds alike. */
export const filterFields = {
  msgType: z.enum(messageTypes).optional(),
  msgTypes: list(z.enum(messageTypes)),
  messageType: z.enum(messageTypes).optional(),
  messageTypes: list(z.enum(messageTypes)),
  msgStatuses: list(z.enum(statuses)),
  messageStatuses: list(z.enum(statuses)),
  addresses: list(text),
  owners: list(text),
  refs: list(text),
  contentHashes: list(hash),
  contentKeys: list(text),
  contentTypes: list(text),
  chains: list(z.enum(chainCodes)),
  channels: list(text),
  tags: list(text),
  hashes: list(hash),
  paymentTypes: list(z.enum(['hold', 'superfluid', 'credit'])),
  startDate: seconds,
  endDate: seconds,
  sortBy: z.enum(['time', 'tx-time']).default('time'),
  sortOrder,
  contentFormat: z.enum(contentFormats).optional(),
  excludeContent: flag,
}

const filterSchema = z.object(filterFields)
type FilterQuery = z.output<typeof filterSchema>

/** Columns a message is chosen by. */
export type FilteredColumns = Pick<
  MessagesTable,
  | 'item_hash'
  | 'status'
  | 'type'
  | 'chain'
  | 'sender'
  | 'channel'
  | 'time'
  | 'owner'
  | 'content_type'
  | 'content_ref'
  | 'content_key'
  | 'content_item_hash'
  | 'payment_type'
  | 'tags'
>

/** Allowed values per column (any of them), tags (any overlap), and a span of `time` in epoch seconds. */
export interface MessageFilter {
  columns: Partial<Record<Exclude<keyof FilteredColumns, 'tags' | 'time'>, string[]>>
  tags?: string[]
  /** Included. */
  from?: number
  /** Excluded. */
  until?: number
}

/** @throws {QueryError} */
export function parseMessageFilter(query: unknown): MessageFilter {
  return messageFilter(parseQuery(filterSchema, query))
}

export function messageFilter(query: FilterQuery): MessageFilter {
  const { startDate, endDate } = query
  if (startDate > 0 && endDate > 0 && endDate < startDate) {
    throw new QueryError([
      { type: 'value_error', loc: ['endDate'], msg: 'end date cannot be lower than start date' },
    ])
  }
  const single = query.msgType ?? query.messageType
  const columns: MessageFilter['columns'] = {
    type: single ? [single] : (query.msgTypes ?? query.messageTypes),
    status: query.msgStatuses ?? query.messageStatuses,
    sender: query.addresses,
    owner: query.owners,
    content_ref: query.refs,
    content_item_hash: query.contentHashes,
    content_key: query.contentKeys,
    content_type: query.contentTypes,
    chain: query.chains,
    channel: query.channels,
    item_hash: query.hashes,
    payment_type: query.paymentTypes,
  }
  return {
    columns: Object.fromEntries(Object.entries(columns).filter(([, values]) => values !== undefined)),
    tags: query.tags,
    from: startDate || undefined,
    until: endDate || undefined,
  }
}

/** The content format that a query asks for. */
export function formatOf(
  query: Pick<FilterQuery, 'contentFormat' | 'excludeContent'>,
): 'full' | 'headers' | 'none' {
  return query.contentFormat ?? (query.excludeContent ? 'none' : 'full')
}

/** The filter as SQL over `messages m`. */
export function matchingMessages(filter: MessageFilter) {
  return (eb: ExpressionBuilder<{ m: Database['messages'] }, 'm'>) => {
    const conditions = Object.entries(filter.columns).map(
      ([column, values]) => sql<boolean>`${sql.ref(`m.${column}`)} = any(${values})`,
    )
    if (filter.tags) conditions.push(sql<boolean>`m.tags && ${filter.tags}::text[]`)
    if (filter.from !== undefined) conditions.push(sql<boolean>`m.time >= ${filter.from}`)
    if (filter.until !== undefined) conditions.push(sql<boolean>`m.time < ${filter.until}`)
    return eb.and(conditions)
  }
}

/** The same filter over a row in memory. */
export function matchesFilter(filter: MessageFilter, row: FilteredColumns): boolean {
  for (const [column, values] of Object.entries(filter.columns)) {
    const value = row[column as keyof FilteredColumns]
    if (value === null || !values.includes(value as string)) return false
  }
  if (filter.tags && !row.tags?.some((tag) => filter.tags!.includes(tag))) return false
  if (filter.from !== undefined && row.time < filter.from) return false
  return filter.until === undefined || row.time < filter.until
}
