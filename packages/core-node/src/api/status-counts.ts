import { type Kysely, sql } from 'kysely'
import type { Database } from '../database/schema.ts'
import { isOneOf, type MessageFilter } from './message-filter.ts'
import type { Total } from './totals.ts'

/** How many messages have one of some statuses and one of some types. */
export async function countByStatus(
  db: Kysely<Database>,
  allowed: { status?: string[]; type?: string[] } = {},
): Promise<Total> {
  const conditions = Object.entries(allowed).map(([column, values]) => isOneOf(column, values))
  const { rows } = await sql<{ count: string }>`
    select coalesce(sum(total), 0)::text as count from status_counts
    where ${sql.join([sql`true`, ...conditions], sql` and `)}`.execute(db)
  return { count: Number(rows[0]!.count), isEstimate: false }
}

/** The status and type a filter asks for when that is all it asks for, else undefined. */
export function onlyStatusAndType(filter: MessageFilter): { status?: string[]; type?: string[] } | undefined {
  const { columns, ...others } = filter
  const { status, type, ...otherColumns } = columns
  const further = [...Object.values(others), ...Object.values(otherColumns)]
  if (further.some((value) => value !== undefined)) return undefined
  return { ...(status && { status }), ...(type && { type }) }
}
