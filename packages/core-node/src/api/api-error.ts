import type { ProtocolError } from '@aleph-ts/protocol'

/** An answer that is not the one asked for; its body gets the one shape of failures (protocol 03 §1.4). */
export class ApiError extends Error {
  readonly statusCode: number
  readonly code: string
  /** Further fields of the body. `path` names the part of the request that is at fault. */
  readonly extra: Record<string, unknown>

  constructor(statusCode: number, code: string, message: string, extra: Record<string, unknown> = {}) {
    super(message)
    this.statusCode = statusCode
    this.code = code
    this.extra = extra
  }

  body(): Record<string, unknown> {
    return { error: this.message, code: this.code, ...this.extra }
  }
}

/** Parameters of the query that break their rules; `details` lists them all (protocol 03 §1.3). */
export class QueryError extends ApiError {
  readonly issues: QueryIssue[]

  constructor(issues: QueryIssue[]) {
    const [first] = issues
    const name = first?.loc.join('.')
    super(422, 'invalid_query', `${name}: ${first?.msg}`, { path: `query.${name}`, details: issues })
    this.issues = issues
  }
}

export interface QueryIssue {
  type: string
  /** Names the parameter. */
  loc: (string | number)[]
  msg: string
}

/** One parameter that breaks its rules. */
export function queryError(parameter: string, msg: string): QueryError {
  return new QueryError([{ type: 'value_error', loc: [parameter], msg }])
}

/** What the protocol says about a refused message, as body fields. */
export function protocolErrorFields(error: ProtocolError): Record<string, unknown> {
  return { error_code: error.errorCode, details: error.details }
}

const retryableStatuses = [408, 409, 425, 429, 500, 502, 503, 504]

/** Completes the body of a failure, so that all have the same fields; others pass as they are. */
export function completeFailure(statusCode: number, requestId: string, body: unknown): unknown {
  if (statusCode < 400 || typeof body !== 'object' || body === null) return body
  const { error, ...rest } = body as Record<string, unknown>
  if (typeof error !== 'string') return body
  const retryable = retryableStatuses.includes(statusCode)
  return { error, code: 'failed', message: error, path: null, retryable, request_id: requestId, ...rest }
}
