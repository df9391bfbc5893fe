/**
 * Why a message is refused or kept waiting, by stable name (protocol 02 §5).
 * The numbers are what nodes store and serve as `error_code`.
 */
export const errorCodes = {
  INTERNAL_ERROR: -1,
  INVALID_FORMAT: 0,
  INVALID_SIGNATURE: 1,
  PERMISSION_DENIED: 2,
  CONTENT_UNAVAILABLE: 3,
  FILE_UNAVAILABLE: 4,
  BALANCE_INSUFFICIENT: 5,
  CREDIT_INSUFFICIENT: 6,
  POST_AMEND_NO_TARGET: 100,
  POST_AMEND_TARGET_NOT_FOUND: 101,
  POST_AMEND_AMEND: 102,
  STORE_REF_NOT_FOUND: 200,
  STORE_UPDATE_UPDATE: 201,
  INVALID_PAYMENT_METHOD: 202,
  VM_REF_NOT_FOUND: 300,
  VM_VOLUME_NOT_FOUND: 301,
  VM_AMEND_NOT_ALLOWED: 302,
  VM_UPDATE_UPDATE: 303,
  VM_VOLUME_TOO_SMALL: 304,
  FORGET_NO_TARGET: 500,
  FORGET_TARGET_NOT_FOUND: 501,
  FORGET_FORGET: 502,
  FORGET_NOT_ALLOWED: 503,
  FORGOTTEN_DUPLICATE: 504,
} as const

export type ErrorName = keyof typeof errorCodes

/** One sentence per error, as shown to users (protocol 02 §5). */
export const errorDescriptions: Readonly<Record<ErrorName, string>> = {
  INTERNAL_ERROR: 'internal error',
  INVALID_FORMAT: 'invalid message format',
  INVALID_SIGNATURE: 'invalid signature',
  PERMISSION_DENIED: 'permission denied',
  CONTENT_UNAVAILABLE: 'message content unavailable',
  FILE_UNAVAILABLE: 'file unavailable',
  BALANCE_INSUFFICIENT: 'insufficient balance',
  CREDIT_INSUFFICIENT: 'insufficient credit',
  POST_AMEND_NO_TARGET: 'amend post ref field is empty',
  POST_AMEND_TARGET_NOT_FOUND: 'cannot find original ref of amend post',
  POST_AMEND_AMEND: 'amend post cannot amend another amend',
  STORE_REF_NOT_FOUND: 'store reference not found',
  STORE_UPDATE_UPDATE: 'store update not targeting the original version',
  INVALID_PAYMENT_METHOD: 'payment type not allowed for this message',
  VM_REF_NOT_FOUND: 'program reference not found',
  VM_VOLUME_NOT_FOUND: 'program volume reference(s) not found',
  VM_AMEND_NOT_ALLOWED: 'program update not allowed',
  VM_UPDATE_UPDATE: 'program update not targeting the original',
  VM_VOLUME_TOO_SMALL: 'VM volume parent larger than the child',
  FORGET_NO_TARGET: 'no FORGET target',
  FORGET_TARGET_NOT_FOUND: 'FORGET target not found',
  FORGET_FORGET: 'cannot forget a FORGET',
  FORGET_NOT_ALLOWED: 'cannot forget a used message',
  FORGOTTEN_DUPLICATE: 'cannot process a forgotten message',
}

const retryable: ReadonlySet<ErrorName> = new Set([
  'INTERNAL_ERROR',
  'CONTENT_UNAVAILABLE',
  'FILE_UNAVAILABLE',
  'POST_AMEND_TARGET_NOT_FOUND',
  'STORE_REF_NOT_FOUND',
  'VM_REF_NOT_FOUND',
  'VM_VOLUME_NOT_FOUND',
  'FORGET_TARGET_NOT_FOUND',
])

/** Whether the same message may succeed later without being changed (protocol 02 §5). */
export function isRetryable(code: ErrorName): boolean {
  return retryable.has(code)
}

const nameByNumber = new Map<number, ErrorName>(
  Object.entries(errorCodes).map(([name, number]) => [number, name as ErrorName]),
)

/** The name of a stored `error_code`, or null when this network knows no such number. */
export function errorName(errorCode: number): ErrorName | null {
  return nameByNumber.get(errorCode) ?? null
}
