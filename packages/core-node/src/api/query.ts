import { snakeCase } from '@aleph-ts/protocol'
import { type SqlBool, sql } from 'kysely'
import type { z } from 'zod'
import { QueryError, queryError } from './api-error.ts'

/** Most items of one answer; larger wishes are cut down to it. */
const largestPage = 1000
const largestCursorPage = 200

/**
 * Reads query parameters by a schema of camelCase names. The snake_case spelling of each works as well, of repeated
 * parameters the first counts, unknown ones are ignored (protocol 03 §1.3).
 *
 * @throws {QueryError}
 */
export function parseQuery<S extends z.ZodObject>(schema: S, query: unknown): z.output<S> {
  const given: Record<string, unknown> = {}
  const spelling = new Map<string, string>()
  for (const name of Object.keys(schema.shape)) {
    const known = query as Record<string, unknown>
    const spelled = known[name] === undefined ? snakeCase(name) : name
    spelling.set(name, spelled)
    const raw = known[spelled]
    if (raw !== undefined) given[name] = Array.isArray(raw) ? raw[0] : raw
  }
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new QueryError(
    parsed.error.issues.map((issue) => ({
      type: issue.code,
      loc: issue.path.map((part, index) => (index === 0 ? spelling.get(String(part))! : Number(part))),
      msg: issue.message,
    })),
  )
}

export interface Page {
  /** Rows to return. */
  limit: number
  offset: number
  /** Undefined in page mode, null on the first page of cursor mode. */
  after?: Record<string, unknown> | null
}

/** Which rows are wanted; throws {@link QueryError} for a cursor that was not made here. */
export function pageOf(query: { page: number; pagination: number; cursor?: string }): Page {
  const { page, pagination, cursor } = query
  if (cursor === undefined) {
    const limit = pagination === 0 ? largestPage : Math.min(pagination, largestPage)
    return { limit, offset: pagination === 0 ? 0 : (page - 1) * limit }
  }
  if (pagination === 0) {
    throw queryError('pagination', 'pagination=0 is not allowed with cursor-based pagination')
  }
  return {
    limit: Math.min(pagination, largestCursorPage),
    offset: 0,
    after: cursor === '' ? null : decodeCursor(cursor),
  }
}

export function encodeCursor(position: Record<string, unknown>): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

function decodeCursor(cursor: string): Record<string, unknown> {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (typeof position === 'object' && position !== null && !Array.isArray(position)) {
      return position as Record<string, unknown>
    }
  } catch {
    // Falls through to the one answer for everything that is no cursor of ours.
  }
  throw queryError('cursor', 'Invalid cursor: it was not issued by this node')
}

/** The place after which a list sorted by (number, text) continues. */
export function cursorPlace(after: Record<string, unknown>): { at: number; id: string } {
  const { t, h } = after
  if (typeof t !== 'number' || !Number.isFinite(t) || typeof h !== 'string' || h.includes('\0')) {
    throw queryError('cursor', 'Invalid cursor: it belongs to another list')
  }
  return { at: t, id: h }
}

/** The place after which a list sorted by texts continues. */
export function cursorTexts(after: Record<string, unknown>, names: string[]): string[] {
  return names.map((name) => {
    const value = after[name]
    if (typeof value !== 'string' || value.includes('\0')) {
      throw queryError('cursor', 'Invalid cursor: it belongs to another list')
    }
    return value
  })
}

/**
 * Rows beyond a place of a list that is sorted by a number in `order` and by a text ascending. The first comparison
 * alone bounds the scan of an index.
 */
export function beyond(
  number: string,
  text: string,
  order: 'asc' | 'desc',
  place: { at: number; id: string },
) {
  const further = order === 'desc' ? sql`<` : sql`>`
  return sql<SqlBool>`(${sql.ref(number)} ${further}= ${place.at}
    and (${sql.ref(number)} ${further} ${place.at} or ${sql.ref(text)} > ${place.id}))`
}
