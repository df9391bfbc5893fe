import { type ErrorName, errorCodes, errorDescriptions, isRetryable } from './error-codes.ts'

/** What a node stores and serves beside `error_code`: strings or objects, by error (protocol 02 §5). */
export interface ErrorDetails {
  errors: unknown[]
}

export interface ProtocolErrorOptions {
  message?: string
  errors?: unknown[]
  cause?: unknown
}

/**
 * The one way this package says that a message breaks a rule of the network.
 *
 * @example
 * ```ts
 * throw new ProtocolError('STORE_REF_NOT_FOUND', { errors: [ref] })
 * ```
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ErrorName
  readonly errorCode: number
  readonly details: ErrorDetails | null
  readonly retryable: boolean

  constructor(code: ErrorName, options: ProtocolErrorOptions = {}) {
    super(options.message ?? errorDescriptions[code], { cause: options.cause })
    this.code = code
    this.errorCode = errorCodes[code]
    this.details = options.errors === undefined ? null : { errors: options.errors }
    this.retryable = isRetryable(code)
  }
}

/** An INVALID_FORMAT error whose only detail is its own text. */
export function formatError(message: string): ProtocolError {
  return new ProtocolError('INVALID_FORMAT', { message, errors: [message] })
}
