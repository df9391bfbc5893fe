import { z } from 'zod'
import { chainCodes } from '../message/chains.ts'
import { baseFields, indexedText, itemHashText, optional } from './scalars.ts'

/** Legacy form of a reference: a whole message, of which only the hash is used (protocol 01 §6.1). */
const chainRefSchema = z
  .object({
    chain: z.enum(chainCodes),
    item_hash: itemHashText,
    item_content: z.string(),
    item_type: z.string(),
    sender: z.string(),
    signature: z.string(),
    time: z.number(),
  })
  .transform((message) => message.item_hash)

/** Content of a POST (protocol 01 §6.1). `ref` is the hash itself even when it was given as a whole message. */
export const postSchema = z
  .strictObject({
    ...baseFields,
    type: indexedText,
    content: z.unknown().default(null),
    ref: optional(z.union([indexedText, chainRefSchema])),
  })
  .refine((post) => post.type !== 'amend' || Boolean(post.ref), {
    path: ['ref'],
    error: 'an amend must name the post it amends',
  })
export type PostContent = z.output<typeof postSchema>
