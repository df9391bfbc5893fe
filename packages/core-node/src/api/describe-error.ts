import type { FastifyError } from 'fastify'
import { isDatabaseAway } from '../database/pool.ts'
import { InboxUnavailableError } from '../inbox/inbox.ts'
import { ApiError } from './api-error.ts'

export interface ErrorAnswer {
  statusCode: number
  body: Record<string, unknown>
  headers?: Record<string, string>
}

/** PostgreSQL's code of a statement that was cancelled, here for having run too long. */
const queryCancelled = '57014'

/** What a request is told about an error that its handler threw. */
export function describeError(error: FastifyError): ErrorAnswer {
  if (error instanceof ApiError) return { statusCode: error.statusCode, body: error.body() }
  if (error.code === queryCancelled) {
    return unavailable('query_timeout', 'The query took too long; narrow it or try again later')
  }
  if (error instanceof InboxUnavailableError) return unavailable('unavailable', error.message)
  if (isDatabaseAway(error)) return unavailable('unavailable', 'The database is away; try again later')
  if (isBrokenForm(error)) return badBody(`Not a form: ${error.message}`)
  if (isTooDeep(error)) return badBody('The body is nested too deeply')
  const statusCode = error.statusCode ?? 500
  if (statusCode === 413) {
    return { statusCode, body: { error: 'Maximum request body size exceeded.', code: 'body_too_large' } }
  }
  if (statusCode >= 400 && statusCode < 500) {
    // A body that is not JSON is a message that breaks the format, not a broken request (protocol 03 §4.8).
    if (isNotJson(error)) return badBody(error.message)
    return { statusCode, body: { error: error.message, code: 'bad_request' } }
  }
  return { statusCode: 500, body: { error: 'Internal error', code: 'internal_error' } }
}

/** The body of a request cannot be read as JSON. */
export function isNotJson(error: FastifyError): boolean {
  return error.statusCode === 400 && (error instanceof SyntaxError || error.code?.startsWith('FST_ERR_CTP'))
}

function badBody(error: string): ErrorAnswer {
  return { statusCode: 422, body: { error, code: 'invalid_body', path: 'body' } }
}

/** The parser of forms has no codes for what it cannot read. */
function isBrokenForm({ message }: Error): boolean {
  return /^(Multipart: |Unexpected end of (form|multipart data)|Malformed part header)/.test(message)
}

/** JSON is parsed at any depth, but not everything walks through it without recursion. */
function isTooDeep(error: Error): boolean {
  return error instanceof RangeError && /call stack/.test(error.message)
}

function unavailable(code: string, error: string): ErrorAnswer {
  return { statusCode: 503, body: { error, code }, headers: { 'retry-after': '1' } }
}
