import { formatError } from '../errors/protocol-error.ts'
import { messageLimits } from '../message/limits.ts'

const escapedSurrogate = /\\u[dD][89a-fA-F]/
const longExponent = /\d[eE][+-]?\d{3}/
const stringOrExponent = /"(?:[^"\\]|\\.)*"|[eE][+-]?\d+/g

/**
 * Reads the JSON text of a content as an object (protocol 01 §1.3 and §1.5).
 *
 * Refuses what other nodes or their databases could not hold: the escape `\u0000` anywhere (even behind another
 * backslash), half a surrogate pair, nesting deeper than the reference's parser goes, and numbers with an exponent
 * beyond a double's, which a decimal database would write out digit by digit.
 *
 * @throws {ProtocolError} INVALID_FORMAT
 */
export function parseContentText(text: string): Record<string, unknown> {
  if (text.includes('\\u0000')) throw formatError('item_content: contains an escaped NUL character (\\u0000)')
  if (nestsTooDeep(text)) {
    throw formatError(`item_content: nested deeper than ${messageLimits.jsonDepth} levels`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw formatError(
      `item_content: not valid JSON (${cause instanceof Error ? cause.message : 'unreadable'})`,
    )
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw formatError('item_content: must be a JSON object')
  }
  if (escapedSurrogate.test(text) && !isWellFormed(value)) {
    throw formatError('item_content: not valid Unicode (lone surrogate)')
  }
  if (longExponent.test(text) && hasHugeExponent(text)) {
    throw formatError(`item_content: a number has an exponent beyond ±${messageLimits.jsonExponent}`)
  }
  return value as Record<string, unknown>
}

function hasHugeExponent(json: string): boolean {
  return json
    .matchAll(stringOrExponent)
    .some(([token]) => token[0] !== '"' && Math.abs(Number(token.slice(1))) > messageLimits.jsonExponent)
}

function nestsTooDeep(text: string): boolean {
  if (text.length <= messageLimits.jsonDepth) return false
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (inString) {
      if (code === 0x5c) i++
      else if (code === 0x22) inString = false
    } else if (code === 0x22) inString = true
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > messageLimits.jsonDepth) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWellFormed(inner))
}
