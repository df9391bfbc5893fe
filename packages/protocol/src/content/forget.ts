import { z } from 'zod'
import { baseFields, indexedText, itemHashText, optional } from './scalars.ts'

/**
 * Content of a FORGET (protocol 01 §6.4). Aggregate keys may be any text: a superset of the reference, which
 * takes only keys that look like hashes (protocol 01 §13 T9). That something is listed at all is not a question
 * of format: an empty FORGET is FORGET_NO_TARGET.
 */
export const forgetSchema = z.strictObject({
  ...baseFields,
  hashes: z.array(itemHashText).max(1000),
  aggregates: z.array(indexedText).max(1000).default([]),
  reason: optional(z.string().max(1000)),
})
export type ForgetContent = z.output<typeof forgetSchema>
