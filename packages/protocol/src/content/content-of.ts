import type { MessageType } from '../message/envelope.ts'
import { type AggregateContent, aggregateSchema } from './aggregate.ts'
import { type ForgetContent, forgetSchema } from './forget.ts'
import { type InstanceContent, instanceSchema } from './instance.ts'
import { type PostContent, postSchema } from './post.ts'
import { type ProgramContent, programSchema } from './program.ts'
import { type StoreContent, storeSchema } from './store.ts'
import { type VProgramContent, vProgramSchema } from './v-program.ts'

interface Contents {
  POST: PostContent
  AGGREGATE: AggregateContent
  STORE: StoreContent
  FORGET: ForgetContent
  PROGRAM: ProgramContent
  INSTANCE: InstanceContent
  'V-PROGRAM': VProgramContent
}

/** The parsed content of a message type: defaults filled in, lax forms made strict. */
export type ContentOf<T extends MessageType> = Contents[T]

/** The check of every message type's content (protocol 01 §6). */
export const contentSchemas = {
  POST: postSchema,
  AGGREGATE: aggregateSchema,
  STORE: storeSchema,
  FORGET: forgetSchema,
  PROGRAM: programSchema,
  INSTANCE: instanceSchema,
  'V-PROGRAM': vProgramSchema,
} as const
