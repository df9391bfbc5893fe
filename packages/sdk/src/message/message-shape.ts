import { type apiMessageSchema, messageStatuses } from '@aleph-ts/protocol'
import { z } from 'zod'

/** A message as core nodes serve it (protocol 03 §4.1); unknown keys of other versions are kept. */
export type NetworkMessage = z.infer<typeof apiMessageSchema>

export const statusSchema = z.enum(messageStatuses)
