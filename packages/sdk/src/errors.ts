/** What can go wrong in the SDK; every code is stable and may be matched on. */
export type AlephErrorCode =
  | 'aborted'
  | 'account_required'
  | 'bad_request'
  | 'bad_response'
  | 'conflict'
  | 'file_hash_mismatch'
  | 'forbidden'
  | 'insufficient_balance'
  | 'invalid_argument'
  | 'message_rejected'
  | 'network_unreachable'
  | 'not_allocated'
  | 'not_found'
  | 'server_error'
  | 'timeout'
  | 'too_large'
  | 'too_many_requests'
  | 'unavailable'
  | 'wallet_refused'

/** Base of every error the SDK throws on purpose. `message` says what was wrong and `hint` how to mend it. */
export class AlephError extends Error {
  override readonly name: string = 'AlephError'
  readonly code: AlephErrorCode
  readonly hint: string | undefined

  constructor(code: AlephErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }
}

/** A node answered, and the answer was a refusal. */
export class AlephApiError extends AlephError {
  override readonly name = 'AlephApiError'
  readonly status: number
  readonly method: string
  readonly url: string
  /** The body of the refusal, parsed when it was JSON (protocol 03 §1.4). */
  readonly details: unknown

  constructor(params: {
    status: number
    method: string
    url: string
    details: unknown
    code?: AlephErrorCode
    message?: string
    hint?: string
  }) {
    const code = params.code ?? codeOfStatus(params.status)
    const reason = params.message ?? reasonOf(params.details)
    super(code, `${params.method} ${params.url} answered ${params.status}${reason ? `: ${reason}` : ''}`, {
      hint: params.hint ?? hints[code],
    })
    this.status = params.status
    this.method = params.method
    this.url = params.url
    this.details = params.details
  }
}

/** The network looked at the message and refused it for good (protocol 01 §9.1). */
export class MessageRejectedError extends AlephError {
  override readonly name = 'MessageRejectedError'
  readonly itemHash: string
  /** Number of the protocol's error table, or null when the node did not say. */
  readonly errorCode: number | null
  readonly details: unknown

  constructor(params: { itemHash: string; errorCode: number | null; errorName: string; details: unknown }) {
    const unpaid = params.errorCode === 5 || params.errorCode === 6
    super(
      unpaid ? 'insufficient_balance' : 'message_rejected',
      `Message ${params.itemHash} was rejected: ${params.errorName}${
        params.errorCode === null ? '' : ` (code ${params.errorCode})`
      }${describeDetails(params.details)}`,
      { hint: hintOfRejection(params.errorCode) },
    )
    this.itemHash = params.itemHash
    this.errorCode = params.errorCode
    this.details = params.details
  }
}

const transientCodes: readonly AlephErrorCode[] = [
  'network_unreachable',
  'timeout',
  'too_many_requests',
  'unavailable',
]

/** Whether the same request may well succeed a little later. */
export function isTransient(error: AlephError): boolean {
  return transientCodes.includes(error.code)
}

const hints: Partial<Record<AlephErrorCode, string>> = {
  not_found: 'Check the hash or address, and that you talk to the right network.',
  insufficient_balance: 'Add ALEPH (or credits) to the paying address, or ask for fewer resources.',
  forbidden: 'Sign with the owner, or with an address the owner authorised in its security aggregate.',
  too_large: 'Send a smaller body; GET /api/v0/storage/limits.json tells what this node takes.',
  too_many_requests: 'Wait a moment, or spread the calls over several core nodes (apiUrls).',
  unavailable: 'Try again in a moment, or use another core node (apiUrls).',
}

function codeOfStatus(status: number): AlephErrorCode {
  switch (status) {
    case 401:
    case 403:
      return 'forbidden'
    case 402:
      return 'insufficient_balance'
    case 404:
    case 410:
      return 'not_found'
    case 409:
      return 'conflict'
    case 413:
      return 'too_large'
    case 429:
      return 'too_many_requests'
    case 502:
    case 503:
    case 504:
      return 'unavailable'
    default:
      return status >= 500 ? 'server_error' : 'bad_request'
  }
}

function reasonOf(details: unknown): string {
  if (typeof details === 'string') return details.slice(0, 500)
  if (details !== null && typeof details === 'object') {
    const { error, message } = details as { error?: unknown; message?: unknown }
    if (typeof error === 'string') return error
    if (typeof message === 'string') return message
  }
  return details === null || details === undefined ? '' : JSON.stringify(details).slice(0, 500)
}

function describeDetails(details: unknown): string {
  if (details === null || details === undefined) return ''
  const errors = (details as { errors?: unknown }).errors
  if (Array.isArray(errors) && errors.length === 0) return ''
  return ` ${JSON.stringify(details).slice(0, 500)}`
}

function hintOfRejection(errorCode: number | null): string {
  switch (errorCode) {
    case 1:
      return 'Sign with the key of the sender, on the chain the message names.'
    case 2:
      return 'The sender may not act for this owner: ask the owner to authorise it in its security aggregate.'
    case 5:
      return 'Hold more ALEPH on the paying address, forget what you no longer need, or ask for fewer resources.'
    case 6:
      return 'Buy credits for the paying address, or ask for fewer resources.'
    case 202:
      return 'Use the payment type "credit": this network no longer takes the other ones for this resource.'
    default:
      return 'Mend the field named in the details and send the message again.'
  }
}
