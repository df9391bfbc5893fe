import { z } from 'zod'
import { classifyHash, isItemHash } from '../hash/item-hash.ts'
import { messageLimits } from '../message/limits.ts'

/**
 * Scalars of message contents. The older types accept what their first validator coerced, and history is full
 * of it: "2" for 2, 1 for true (protocol 01 §1.5).
 */

const trueWords = new Set(['true', 't', 'yes', 'y', 'on', '1'])
const falseWords = new Set(['false', 'f', 'no', 'n', 'off', '0'])
const decimalText = /^\s*[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i

function toBoolean(value: unknown): unknown {
  if (value === 1 || value === 0) return value === 1
  if (typeof value !== 'string') return value
  const word = value.toLowerCase()
  if (trueWords.has(word)) return true
  return falseWords.has(word) ? false : value
}

function toNumber(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'string' && value.length <= 64 && decimalText.test(value)) {
    return Number(value.replaceAll('_', ''))
  }
  return value
}

export const laxBoolean = z.preprocess(toBoolean, z.boolean())

export const laxNumber = z.preprocess(toNumber, z.number())

/** A lax integer within bounds, both included. */
export function laxInteger(min: number, max: number) {
  return z.preprocess(toNumber, z.int().min(min).max(max))
}

/** Absent and null mean the same; the parsed value is null then. */
export function optional<S extends z.ZodType>(schema: S) {
  return schema.nullable().default(null as z.output<S> & null)
}

/** Text that nodes keep in an index. */
export const indexedText = z.string().max(messageLimits.indexedCharacters)

/** The item hash of a message or a file. */
export const itemHashText = z
  .string()
  .refine(isItemHash, { error: 'not an item hash: expected sha256 in lower-case hex or an accepted CID' })

/** Exactly 64 lower-case hex digits. */
export const hexHash = z
  .string()
  .refine((text) => classifyHash(text) === 'storage', { error: 'expected 64 lower-case hex digits' })

/** What every content has: on whose behalf, and when, in epoch seconds (protocol 01 §6). */
export const baseFields = {
  address: indexedText,
  time: z.preprocess(toNumber, z.number().min(0).max(messageLimits.contentTimeSeconds)),
}

/** A free JSON object with at most so many keys. */
export function freeObject(maxKeys: number) {
  return z
    .record(z.string(), z.unknown())
    .refine((object) => Object.keys(object).length <= maxKeys, { error: `more than ${maxKeys} entries` })
}
