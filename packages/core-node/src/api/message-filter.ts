import type { messageFilterSchema } from '@aleph-ts/protocol'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { z } from 'zod'
import type { MessagesTable } from '../database/schema.ts'
import { queryError } from './api-error.ts'

export type FilterQuery = z.output<typeof messageFilterSchema>

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
  /** First confirmed at this height or later, or not at all. */
  fromBlock?: number
  /** First confirmed below this height. */
  untilBlock?: number
}

/** @throws {QueryError} */
export function messageFilter(query: FilterQuery): MessageFilter {
  const { startDate, endDate, startBlock, endBlock } = query
  if (startDate > 0 && endDate > 0 && endDate < startDate) {
    throw queryError('endDate', 'end date cannot be lower than start date')
  }
  if (startBlock > 0 && endBlock > 0 && endBlock < startBlock) {
    throw queryError('endBlock', 'end block cannot be lower than start block')
  }
  const columns: MessageFilter['columns'] = {
    type: typesOf(query),
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
    fromBlock: startBlock || undefined,
    untilBlock: endBlock || undefined,
  }
}

/** The single type and the list are both conditions. */
export function typesOf(query: FilterQuery): string[] | undefined {
  const single = query.msgType ?? query.messageType
  const several = query.msgTypes ?? query.messageTypes
  if (!single) return several
  return several && !several.includes(single) ? [] : [single]
}

/** The content format that a query asks for. */
export function formatOf(
  query: Pick<FilterQuery, 'contentFormat' | 'excludeContent'>,
): 'full' | 'headers' | 'none' {
  return query.contentFormat ?? (query.excludeContent ? 'none' : 'full')
}

/** The filter as a condition over `messages m`. */
export function matchingMessages(filter: MessageFilter): RawBuilder<SqlBool> {
  const { tags, from, until, fromBlock, untilBlock } = filter
  const conditions = [sql<SqlBool>`true`]
  for (const [column, values] of Object.entries(filter.columns))
    conditions.push(isOneOf(`m.${column}`, values))
  if (tags) conditions.push(sql<SqlBool>`m.tags && ${tags}::text[]`)
  if (from !== undefined) conditions.push(sql<SqlBool>`m.time >= ${from}`)
  if (until !== undefined) conditions.push(sql<SqlBool>`m.time < ${until}`)
  if (fromBlock !== undefined) conditions.push(confirmedFrom(fromBlock))
  if (untilBlock !== undefined) conditions.push(confirmedBefore(untilBlock))
  return sql`${sql.join(conditions, sql` and `)}`
}

/** When messages were first confirmed, as lists are ordered by it: what no chain has confirmed counts as newest. */
export const confirmedAt = sql`coalesce(m.first_confirmed_at, 'infinity'::timestamptz)`

/** The bounds of time follow from those of the height; they are there for the index. */
function confirmedFrom(height: number): RawBuilder<SqlBool> {
  const earliest = sql`(select coalesce(min(datetime), 'infinity') from chain_txs where chain = 'ETH' and height >= ${height})`
  return sql`(m.first_confirmed_height is null or m.first_confirmed_height >= ${height})
    and ${confirmedAt} >= ${earliest}`
}

function confirmedBefore(height: number): RawBuilder<SqlBool> {
  const latest = sql`(select coalesce(max(datetime), '-infinity') from chain_txs where chain = 'ETH' and height < ${height})`
  return sql`m.first_confirmed_height < ${height} and ${confirmedAt} <= ${latest}`
}

/** A column equal to one of several values; a single one as `=`, which lets an index give the order as well. */
export function isOneOf(column: string, values: readonly string[]) {
  const [first] = values
  return values.length === 1
    ? sql<boolean>`${sql.ref(column)} = ${first}`
    : sql<boolean>`${sql.ref(column)} = any(${values})`
}

/** The same filter over a row that has just been processed. */
export function matchesFilter(filter: MessageFilter, row: FilteredColumns): boolean {
  for (const [column, values] of Object.entries(filter.columns)) {
    const value = row[column as keyof FilteredColumns]
    if (value === null || !values.includes(value as string)) return false
  }
  if (filter.tags && !row.tags?.some((tag) => filter.tags!.includes(tag))) return false
  if (filter.from !== undefined && row.time < filter.from) return false
  // What has just been processed is hardly ever confirmed yet.
  if (filter.untilBlock !== undefined) return false
  return filter.until === undefined || row.time < filter.until
}
