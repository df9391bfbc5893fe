import { isItemHash } from '@aleph-ts/protocol'
import { z } from 'zod'
import { QueryError } from './api-error.ts'

/** Most items of one answer; larger wishes are cut down to it. */
const largestPage = 1000
const largestCursorPage = 200
/** Values of one list parameter. */
const longestList = 500

/**
 * Reads query parameters by a schema of camelCase names. The snake_case spelling of each works as well, of repeated
 * parameters the first counts, unknown ones are ignored (protocol 03 §1.3).
 *
 * @throws {QueryError}
 */
export function parseQuery<S extends z.ZodObject>(schema: S, query: unknown): z.output<S> {
  const given: Record<string, unknown> = {}
  for (const name of Object.keys(schema.shape)) {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    const raw = (query as Record<string, unknown>)[name] ?? (query as Record<string, unknown>)[snake]
    if (raw !== undefined) given[name] = Array.isArray(raw) ? raw[0] : raw
  }
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new QueryError(
    parsed.error.issues.map((issue) => ({
      type: issue.code,
      loc: issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part)),
      msg: issue.message,
    })),
  )
}

const trueWords = ['1', 'true', 't', 'yes', 'y', 'on']
const falseWords = ['0', 'false', 'f', 'no', 'n', 'off']

/** Comma-separated values. */
export function list<S extends z.ZodType<unknown, string>>(item: S) {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(item).max(longestList))
    .optional()
}

/** Text that may be compared with a column; PostgreSQL knows no NUL. */
export const text = z.string().refine((value) => !value.includes('\0'), { error: 'contains a NUL character' })

export const hash = z.string().refine(isItemHash, { error: 'not an item hash' })

export function integer(min: number) {
  return z
    .string()
    .regex(/^\s*[+-]?\d+(\.0*)?\s*$/, { error: 'must be an integer' })
    .transform(Number)
    .pipe(z.number().min(min).max(Number.MAX_SAFE_INTEGER))
}

/** Epoch seconds; 0 switches the filter off. */
export const seconds = z.string().transform(Number).pipe(z.number().min(0).max(1e12)).default(0)

export const flag = z
  .string()
  .toLowerCase()
  .refine((word) => trueWords.includes(word) || falseWords.includes(word), { error: 'must be a boolean' })
  .transform((word) => trueWords.includes(word))
  .default(false)

/** `-1` newest first, `1` oldest first. */
export const sortOrder = z
  .enum(['-1', '1'])
  .default('-1')
  .transform((order) => (order === '1' ? ('asc' as const) : ('desc' as const)))

/** `page`, `pagination` and `cursor` of a list with its own default page size (protocol 03 §1.6). */
export function pageFields(defaultSize: number) {
  return {
    page: integer(1).default(1),
    pagination: integer(0).default(defaultSize),
    cursor: z.string().max(4096).optional(),
  }
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
    throw cursorError('pagination', 'pagination=0 is not allowed with cursor-based pagination')
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
  throw cursorError('cursor', 'Invalid cursor: it was not issued by this node')
}

/** The place after which a list sorted by (number, text) continues. */
export function cursorPlace(after: Record<string, unknown>): { at: number; id: string } {
  const { t, h } = after
  if (typeof t !== 'number' || !Number.isFinite(t) || typeof h !== 'string' || h.includes('\0')) {
    throw cursorError('cursor', 'Invalid cursor: it belongs to another list')
  }
  return { at: t, id: h }
}

function cursorError(parameter: string, msg: string): QueryError {
  return new QueryError([{ type: 'value_error', loc: [parameter], msg }])
}
