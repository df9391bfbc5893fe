import { z } from 'zod'

/** A setting of several parts with commas between them; none when absent. */
export const commaList = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
  )
