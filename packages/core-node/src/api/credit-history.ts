import { addressKey, type apiRoutes, type QueryOf } from '@aleph-ts/protocol'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { queryError } from './api-error.ts'
import { isoTime } from './message-shape.ts'

type HistoryQuery = QueryOf<typeof apiRoutes.listCreditHistory>
type FilterQuery = QueryOf<typeof apiRoutes.getCreditSummary>

/** The message that an entry is about. */
const resource = sql`coalesce(nullif(h.origin, ''), h.origin_ref)`

const exactColumns = {
  tx_hash: 'txHash',
  token: 'token',
  chain: 'chain',
  provider: 'provider',
  origin: 'origin',
  origin_ref: 'originRef',
  payment_method: 'paymentMethod',
} as const

/** Entries of an account that a query asks for, as a condition over `credit_history h` (protocol 03 §10.5). */
export function creditConditions(address: string, query: FilterQuery): RawBuilder<SqlBool> {
  const { startDate, endDate, hasExpiration, direction } = query
  if (startDate > 0 && endDate > 0 && endDate < startDate) {
    throw queryError('endDate', 'end date cannot be lower than start date')
  }
  const parts = [sql<SqlBool>`h.address = ${addressKey('ETH', address)}`]
  for (const [column, name] of Object.entries(exactColumns)) {
    const value = query[name]
    if (value !== undefined) parts.push(sql<SqlBool>`${sql.ref(`h.${column}`)} = ${value}`)
  }
  if (query.excludePaymentMethod) {
    parts.push(sql<SqlBool>`h.payment_method <> all(${query.excludePaymentMethod})`)
  }
  if (hasExpiration !== undefined)
    parts.push(sql<SqlBool>`(h.expiration_date is not null) = ${hasExpiration}`)
  if (startDate > 0) parts.push(sql<SqlBool>`h.message_timestamp >= ${startDate}`)
  if (endDate > 0) parts.push(sql<SqlBool>`h.message_timestamp <= ${endDate}`)
  if (direction)
    parts.push(direction === 'incoming' ? sql<SqlBool>`h.amount > 0` : sql<SqlBool>`h.amount < 0`)
  if (query.resource) parts.push(sql<SqlBool>`${resource} = ${query.resource}`)
  if (query.resourceTypes) {
    parts.push(sql<SqlBool>`exists (select from messages m where m.item_hash = ${resource}
      and m.type = any(${query.resourceTypes}))`)
  }
  return sql`${sql.join(parts, sql` and `)}`
}

/** What the entries are sorted by, nulls last in both directions. */
export function sortColumn(sortBy: HistoryQuery['sortBy']): RawBuilder<unknown> {
  return sql.ref(`h.${sortBy}`)
}

/** The place of an entry in a list. */
export interface HistoryPlace {
  /** Value of the sort column as text. */
  value: string | null
  ref: string
  index: number
}

/** Reads a cursor back, if it belongs to a list sorted like this one. */
export function historyPlace(
  after: Record<string, unknown>,
  { sortBy, sortOrder }: HistoryQuery,
): HistoryPlace {
  const { s, o, v, r, i } = after
  if (s !== sortBy) throw queryError('cursor', `Cursor sort field mismatch: ${String(s).slice(0, 50)}`)
  if (o !== (sortOrder === 'asc' ? 1 : -1)) throw queryError('cursor', 'Cursor sort order mismatch')
  const isNumeric = ['amount', 'message_timestamp', 'expiration_date'].includes(sortBy)
  const isValue =
    v === null ||
    (typeof v === 'string' && (isNumeric ? /^-?\d{1,40}(\.\d{1,20})?$/.test(v) : !v.includes('\0')))
  if (!isValue || typeof r !== 'string' || r.includes('\0') || !Number.isInteger(i)) {
    throw queryError('cursor', 'Invalid cursor: it belongs to another list')
  }
  return { value: v as string | null, ref: r, index: Math.min(Math.abs(i as number), 2 ** 31 - 1) }
}

/** Entries beyond a place. */
export function beyondHistory(place: HistoryPlace, { sortBy, sortOrder }: HistoryQuery): RawBuilder<SqlBool> {
  const column = sortColumn(sortBy)
  const further = sortOrder === 'desc' ? sql`<` : sql`>`
  const { ref, index } = place
  if (sortBy === 'message_timestamp') {
    return sql<SqlBool>`(h.message_timestamp, h.credit_ref, h.credit_index) ${further} (${place.value}::float8, ${ref}, ${index})`
  }
  const sameValue = sql<SqlBool>`(h.credit_ref, h.credit_index) ${further} (${ref}, ${index})`
  if (place.value === null) return sql<SqlBool>`${column} is null and ${sameValue}`
  return sql<SqlBool>`(${column} ${further} ${place.value} or ${column} is null or (${column} = ${place.value} and ${sameValue}))`
}

export interface HistoryRow {
  amount: string
  price: string | null
  bonus_amount: number | null
  tx_hash: string | null
  token: string | null
  chain: string | null
  provider: string | null
  origin: string | null
  origin_ref: string | null
  payment_method: string | null
  credit_ref: string
  credit_index: number
  /** Epoch milliseconds. */
  expiration_date: bigint | null
  /** Epoch seconds. */
  message_timestamp: number
  expense_count: bigint | null
  expense_size_mib: number | null
}

/** An entry as the API tells it; in cursor mode dates are epoch seconds and decimals numbers. */
export function historyItem(row: HistoryRow, inCursorMode: boolean) {
  const { amount, price, bonus_amount, expiration_date, message_timestamp, expense_count, expense_size_mib } =
    row
  const time = (seconds: number) => (inCursorMode ? seconds : isoTime(seconds, 'Z'))
  const decimal = (value: string | number | null) =>
    value === null ? null : inCursorMode ? Number(value) : String(value)
  return {
    amount: Number(amount),
    price: decimal(price),
    bonus_amount,
    tx_hash: row.tx_hash,
    token: row.token,
    chain: row.chain,
    provider: row.provider,
    origin: row.origin,
    origin_ref: row.origin_ref,
    payment_method: row.payment_method,
    credit_ref: row.credit_ref,
    credit_index: row.credit_index,
    expiration_date: expiration_date === null ? null : time(Number(expiration_date) / 1000),
    message_timestamp: time(message_timestamp),
    expense_count: expense_count === null ? null : Number(expense_count),
    expense_size_mib: decimal(expense_size_mib),
  }
}
