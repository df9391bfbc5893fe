import { z } from 'zod'

/** What every refusal and failure of a core node says (protocol 03 §1.4). */
export const apiFailureSchema = z.looseObject({
  /** The same as `message`, where older clients look for it. */
  error: z.string(),
  /** Stable name of what went wrong. */
  code: z.string(),
  message: z.string(),
  /** The part of the request that is at fault, such as `query.page` or `body.message.time`; null: no part of it. */
  path: z.string().nullable(),
  /** Whether the same request may succeed a little later. */
  retryable: z.boolean(),
  request_id: z.string(),
  /** Every single fault of a query or body. */
  details: z.unknown().optional(),
})

export type ApiFailure = z.output<typeof apiFailureSchema>
