/**
 * Every refusal of the agent, with the HTTP status it answers and whether trying again can help.
 * Codes are stable: clients may depend on them.
 */
const agentErrors = {
  invalid_reference: { status: 400, retryable: false },
  invalid_request: { status: 400, retryable: false },
  message_not_found: { status: 404, retryable: true },
  message_pending: { status: 503, retryable: true },
  message_rejected: { status: 422, retryable: false },
  message_gone: { status: 410, retryable: false },
  message_invalid: { status: 502, retryable: true },
  not_a_program: { status: 400, retryable: false },
  http_not_enabled: { status: 403, retryable: false },
  unsupported: { status: 501, retryable: false },
  file_not_found: { status: 400, retryable: true },
  file_too_large: { status: 413, retryable: false },
  content_mismatch: { status: 502, retryable: true },
  core_nodes_unreachable: { status: 503, retryable: true },
  chain_unreachable: { status: 503, retryable: true },
  broken_archive: { status: 422, retryable: false },
  unknown_runtime: { status: 422, retryable: false },
  invalid_program: { status: 422, retryable: false },
  build_failed: { status: 500, retryable: true },
  gpu_unavailable: { status: 503, retryable: true },
  insufficient_capacity: { status: 503, retryable: true },
  program_failed: { status: 502, retryable: true },
  program_not_listening: { status: 502, retryable: true },
  program_crashed: { status: 502, retryable: true },
  program_timeout: { status: 504, retryable: true },
  hypervisor_failed: { status: 503, retryable: true },
  draining: { status: 503, retryable: true },
  overloaded: { status: 503, retryable: true },
  not_found: { status: 404, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  payment_required: { status: 402, retryable: true },
  awaiting_owner: { status: 409, retryable: true },
  conflict: { status: 409, retryable: false },
  body_too_large: { status: 413, retryable: false },
  not_enough_disk: { status: 507, retryable: true },
  internal: { status: 500, retryable: true },
} as const

export type AgentErrorCode = keyof typeof agentErrors

export interface AgentErrorOptions {
  cause?: unknown
  /** Seconds after which a client may try again; sent as `Retry-After`. */
  retryAfterSeconds?: number
  /** Last lines of the guest's log, when a program is at fault. */
  log?: string
}

export interface AgentErrorBody {
  error: string
  code: AgentErrorCode
  retryable: boolean
  log?: string
}

/** A refusal with a stable `code`, an HTTP `status`, and a message that says how to mend it (protocol 05 §5.4). */
export class AgentError extends Error {
  readonly code: AgentErrorCode
  readonly status: number
  readonly retryable: boolean
  readonly retryAfterSeconds: number | undefined
  readonly log: string | undefined

  constructor(code: AgentErrorCode, message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AgentError'
    this.code = code
    this.status = agentErrors[code].status
    this.retryable = agentErrors[code].retryable
    this.retryAfterSeconds = options.retryAfterSeconds ?? (this.status === 503 ? 2 : undefined)
    this.log = options.log
  }

  /** The JSON body clients see; `error` stays the first field, as every Aleph client reads it. */
  toBody(): AgentErrorBody {
    const body: AgentErrorBody = { error: this.message, code: this.code, retryable: this.retryable }
    if (this.log) body.log = this.log
    return body
  }
}

/** Any thrown value as an AgentError; unexpected ones become `internal` without leaking their text. */
export function toAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error
  return new AgentError('internal', 'The node met an unexpected error; its operator can find it in the log', {
    cause: error,
  })
}
