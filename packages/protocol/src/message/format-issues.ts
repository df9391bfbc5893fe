import type { z } from 'zod'
import { ProtocolError } from '../errors/protocol-error.ts'

/** One broken rule, in the shape readers of `details.errors` expect (protocol 01 §11). */
export interface FormatIssue {
  /** `missing`, `extra_forbidden`, or the kind of rule. */
  type: string
  loc: (string | number)[]
  msg: string
  /** The offending value, when it is a short scalar. */
  input?: string | number | boolean | null
}

/** More would only repeat: a list of a thousand bad hashes needs no thousand explanations. */
const maxIssues = 32

/** INVALID_FORMAT with the exact place of every broken rule, from a failed schema check. */
export function schemaError(error: z.ZodError, input: unknown): ProtocolError {
  const issues = error.issues.flatMap((issue) => formatIssues(issue, input)).slice(0, maxIssues)
  const [first] = issues
  const message = first === undefined ? undefined : `${first.loc.join('.') || 'content'}: ${first.msg}`
  return new ProtocolError('INVALID_FORMAT', { message, errors: issues })
}

function formatIssues(issue: z.core.$ZodIssue, root: unknown): FormatIssue[] {
  const loc = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      type: 'extra_forbidden',
      loc: [...loc, key],
      msg: 'Extra inputs are not permitted',
    }))
  }
  const { found, value } = valueAt(root, loc)
  if (!found && issue.code !== 'custom') return [{ type: 'missing', loc, msg: 'Field required' }]
  const scalar = isShortScalar(value) ? { input: value } : {}
  return [{ type: issue.code === 'custom' ? 'value_error' : issue.code, loc, msg: issue.message, ...scalar }]
}

function valueAt(root: unknown, loc: (string | number)[]): { found: boolean; value?: unknown } {
  let value = root
  for (const part of loc) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return { found: false }
    value = (value as Record<string | number, unknown>)[part]
  }
  return { found: true, value }
}

function isShortScalar(value: unknown): value is string | number | boolean | null {
  if (typeof value === 'string') return value.length <= 128
  return value === null || typeof value === 'number' || typeof value === 'boolean'
}
