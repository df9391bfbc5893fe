import { ProtocolError } from '@aleph-ts/protocol'
import { AlephApiError, AlephError, type AlephErrorCode, MessageRejectedError } from '@aleph-ts/sdk'
import { AttestationError } from '@aleph-ts/sdk/confidential'
import { CommanderError } from 'commander'
import { type ExitCode, exitCodes } from './exit-codes.ts'

/** Something the user can mend; `hint` says how. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: string
  readonly exitCode: ExitCode
  readonly hint: string | undefined

  constructor(code: string, message: string, options: { exitCode?: ExitCode; hint?: string } = {}) {
    super(message)
    this.code = code
    this.exitCode = options.exitCode ?? exitCodes.failed
    this.hint = options.hint
  }
}

/** Everything was said in the result; only the exit code is left to tell. */
export class ToldFailure extends Error {
  override readonly name = 'ToldFailure'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    super('the result tells')
    this.exitCode = exitCode
  }
}

/** A failure as it is shown. `json` is the document printed with --json. */
export interface Failure {
  exitCode: ExitCode
  json: {
    error: {
      code: string
      message: string
      hint?: string
      http_status?: number
      rejection_code?: number
      item_hash?: string
      details?: unknown
    }
  }
}

const exitCodeOf: Partial<Record<AlephErrorCode, ExitCode>> = {
  aborted: exitCodes.interrupted,
  account_required: exitCodes.forbidden,
  bad_response: exitCodes.unreachable,
  conflict: exitCodes.conflict,
  forbidden: exitCodes.forbidden,
  insufficient_balance: exitCodes.unpaid,
  message_rejected: exitCodes.rejected,
  network_unreachable: exitCodes.unreachable,
  not_allocated: exitCodes.notFound,
  not_found: exitCodes.notFound,
  timeout: exitCodes.unreachable,
  too_many_requests: exitCodes.unreachable,
  unavailable: exitCodes.unreachable,
}

/** Puts any error into the one shape that is shown. */
export function describeFailure(error: unknown, interrupted: boolean): Failure {
  if (interrupted) return failure(exitCodes.interrupted, 'interrupted', 'Interrupted.')
  if (error instanceof CliError) return failure(error.exitCode, error.code, error.message, error.hint)
  if (error instanceof CommanderError) return failure(exitCodes.usage, 'usage', cleanUsage(error.message))
  if (error instanceof ProtocolError) return failure(exitCodes.usage, 'invalid_format', error.message)
  if (error instanceof AlephError) {
    const shown = failure(exitCodeOf[error.code] ?? exitCodes.failed, error.code, error.message, error.hint)
    if (error instanceof AlephApiError) shown.json.error.http_status = error.status
    if (error instanceof MessageRejectedError) {
      shown.json.error.item_hash = error.itemHash
      if (error.errorCode !== null) shown.json.error.rejection_code = error.errorCode
      if (error.details !== null) shown.json.error.details = error.details
    }
    return shown
  }
  if (error instanceof AttestationError) {
    return failure(exitCodes.rejected, error.code, error.message, 'Nothing secret was sent.')
  }
  const message = error instanceof Error ? error.message : String(error)
  return failure(exitCodes.failed, 'unexpected', message, 'Run again with --debug to see where it came from.')
}

function failure(exitCode: ExitCode, code: string, message: string, hint?: string): Failure {
  return { exitCode, json: { error: { code, message, ...(hint === undefined ? {} : { hint }) } } }
}

function cleanUsage(message: string): string {
  return message.replace(/^error: /, '')
}
