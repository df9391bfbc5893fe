import type { ProtocolError } from '@aleph-ts/protocol'

/** An answer that is not the one asked for: an HTTP status and a body `{error, code, …}` (protocol 03 §1.4). */
export class ApiError extends Error {
  readonly statusCode: number
  readonly code: string
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

/** Query parameters that break their rules: the body is the bare list of problems (protocol 03 §1.3). */
export class QueryError extends Error {
  readonly statusCode = 422
  readonly issues: QueryIssue[]

  constructor(issues: QueryIssue[]) {
    super('Invalid query parameters')
    this.issues = issues
  }
}

export interface QueryIssue {
  type: string
  /** Names the parameter. */
  loc: (string | number)[]
  msg: string
}

/** What the protocol says about a refused message, as body fields. */
export function protocolErrorFields(error: ProtocolError): Record<string, unknown> {
  return { error_code: error.errorCode, details: error.details }
}
