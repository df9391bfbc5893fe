import { z } from 'zod'
import { isItemHash } from '../hash/item-hash.ts'

/** Values of one list parameter. */
const longestList = 500

const trueWords = ['1', 'true', 't', 'yes', 'y', 'on']
const falseWords = ['0', 'false', 'f', 'no', 'n', 'off']

/** Comma-separated values (protocol 03 §1.3). */
export function listField<S extends z.ZodType<unknown, string>>(item: S) {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(item).max(longestList))
    .optional()
    .meta({ description: 'Several values are separated by commas; any of them will do.' })
}

/** Text that may be compared with a column; PostgreSQL knows no NUL. */
export const textField = z
  .string()
  .refine((value) => !value.includes('\0'), { error: 'contains a NUL character' })

export const hashField = z.string().refine(isItemHash, { error: 'not an item hash' })

export function integerField(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  return z
    .string()
    .regex(/^\s*[+-]?\d+(\.0*)?\s*$/, { error: 'must be an integer' })
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .meta({
      description: max === Number.MAX_SAFE_INTEGER ? `At least ${min}.` : `From ${min} to ${max}.`,
    })
}

/** Epoch seconds; 0 switches the filter off. */
export const secondsField = z
  .string()
  .regex(/\d/, { error: 'must be a number' })
  .transform(Number)
  .pipe(z.number().min(0).max(1e12))
  .default(0)
  .meta({ description: 'Seconds since 1970; 0 is no bound.' })

export const flagField = z
  .string()
  .toLowerCase()
  .refine((word) => trueWords.includes(word) || falseWords.includes(word), { error: 'must be a boolean' })
  .transform((word) => trueWords.includes(word))
  .default(false)

/** `-1` newest or largest first, `1` the other way round. */
export const sortOrderField = z
  .enum(['-1', '1'])
  .default('-1')
  .transform((order) => (order === '1' ? ('asc' as const) : ('desc' as const)))
  .meta({ description: '-1: newest or largest first; 1: the other way round.' })

/** `page`, `pagination` and `cursor` of a list with its own default page size (protocol 03 §1.6). */
export function pageFields(defaultSize: number) {
  return {
    page: integerField(1).default(1).meta({ description: 'Number of the page, from 1.' }),
    pagination: integerField(0)
      .default(defaultSize)
      .meta({
        description: `Items per page, ${defaultSize} by default; 0: as many as the node gives at once.`,
      }),
    cursor: z
      .string()
      .max(4096)
      .optional()
      .meta({ description: 'Empty for the first page, then `next_cursor` of the page before.' }),
  }
}

/** Fields of every answer that is a page; in cursor mode `next_cursor` stands for page and total. */
export const pageAnswer = {
  pagination_page: z.number().int().optional(),
  pagination_per_page: z.number().int().optional(),
  pagination_total: z.number().int().optional(),
  /** The total is about right; it is being counted. */
  pagination_total_is_estimate: z.boolean().optional(),
  pagination_item: z.string().optional(),
  next_cursor: z.string().nullable().optional(),
}
