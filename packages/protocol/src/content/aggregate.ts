import { z } from 'zod'
import { baseFields, indexedText } from './scalars.ts'

/** Content of an AGGREGATE (protocol 01 §6.2). A legacy key `{name}` is read as the name. */
export const aggregateSchema = z.strictObject({
  ...baseFields,
  key: z.union([indexedText, z.strictObject({ name: indexedText }).transform((key) => key.name)]),
  content: z.record(z.string(), z.unknown()),
})
export type AggregateContent = z.output<typeof aggregateSchema>
