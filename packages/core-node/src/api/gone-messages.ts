import type { FastifyReply } from 'fastify'
import { type Kysely, type SqlBool, sql } from 'kysely'
import type { Database } from '../database/schema.ts'
import { ApiError } from './api-error.ts'
import { sendJsonList } from './json-list.ts'
import { type FilterQuery, isOneOf, messageFilter } from './message-filter.ts'
import { pageOf } from './query.ts'
import type { Totals } from './totals.ts'

type GoneStatus = 'forgotten' | 'removed'

/** Filters that need what is no longer there. */
const unsupported = ['refs', 'contentHashes', 'contentKeys', 'contentTypes', 'tags'] as const

/** Which kind of lost messages a query asks for, if any (protocol 03 §4.3). */
export function goneStatusOf(query: FilterQuery & { cursor?: string }): GoneStatus | undefined {
  const statuses = query.msgStatuses ?? query.messageStatuses ?? []
  const gone = statuses.find((status): status is GoneStatus => status === 'forgotten' || status === 'removed')
  if (!gone) return undefined
  const refuse = (path: string, reason: string) => new ApiError(400, 'unsupported_filter', reason, { path })
  if (statuses.some((status) => status !== gone)) {
    throw refuse('query.msgStatuses', 'msgStatuses=forgotten/removed cannot be combined with other statuses')
  }
  if (query.cursor !== undefined) {
    throw refuse('query.cursor', `Cursor pagination is not supported for ${gone} message queries`)
  }
  const others = unsupported.filter((name) => query[name]?.some((value) => value !== ''))
  if (query.startBlock > 0) others.push('startBlock' as 'refs')
  if (query.endBlock > 0) others.push('endBlock' as 'refs')
  if (others.length > 0) {
    const reason = `Filters not supported for ${gone} message queries: ${others.join(', ')}`
    throw refuse(`query.${others[0]}`, reason)
  }
  return gone
}

/** Both kinds in one shape. When a message was forgotten its FORGET says; when it was removed only this node knows. */
const kinds = {
  forgotten: {
    table: sql`forgotten_messages m`,
    goneAt: sql`m.forgotten_at`,
    placed: (seconds: number) => sql`${seconds}`,
    seconds: sql`m.forgotten_at`,
  },
  removed: {
    table: sql`removed_messages m`,
    goneAt: sql`m.removed_at`,
    placed: (seconds: number) => sql`to_timestamp(${seconds})`,
    seconds: sql`extract(epoch from m.removed_at)`,
  },
}

/** What is left of forgotten or removed messages, in the order they went. */
export async function listGoneMessages(
  db: Kysely<Database>,
  totals: Totals,
  status: GoneStatus,
  query: FilterQuery & { page: number; pagination: number },
  reply: FastifyReply,
): Promise<FastifyReply> {
  const page = pageOf(query)
  const { columns, from, until } = messageFilter(query)
  const { status: _, payment_type: payments, ...others } = columns
  const { table, goneAt, placed, seconds } = kinds[status]
  const conditions = [sql<SqlBool>`true`]
  for (const [column, values] of Object.entries(others)) conditions.push(isOneOf(`m.${column}`, values))
  if (payments) conditions.push(sql<SqlBool>`coalesce(m.payment_type, 'hold') = any(${payments})`)
  if (from !== undefined) conditions.push(sql<SqlBool>`${goneAt} >= ${placed(from)}`)
  if (until !== undefined) conditions.push(sql<SqlBool>`${goneAt} < ${placed(until)}`)
  const matching = sql`from ${table} where ${sql.join(conditions, sql` and `)}`
  const direction = query.sortOrder === 'desc' ? sql`desc` : sql`asc`
  const { rows } = await sql<{ body: string }>`
    select json_build_object('item_hash', m.item_hash, 'type', m.type, 'chain', m.chain, 'sender', m.sender,
      'signature', m.signature, 'item_type', m.item_type, 'time', m.time, 'channel', m.channel, 'owner', m.owner,
      'payment_type', m.payment_type, 'size', m.size, ${sql.lit(`${status}_at`)}, ${seconds},
      'status', ${sql.lit(status)} ${status === 'forgotten' ? sql`, 'forgotten_by', m.forgotten_by` : sql``})::text as body
    ${matching} order by ${goneAt} ${direction}, m.item_hash asc
    limit ${page.limit} offset ${page.offset}`.execute(db)
  return sendJsonList(reply, {
    name: 'messages',
    items: rows.map((row) => row.body),
    page,
    query,
    total: () => totals.of(matching),
  })
}
