import { messageStatuses } from '@aleph-ts/protocol'
import { z } from 'zod'

/** A message as core nodes serve it (protocol 03 §4.1); unknown keys of other versions are kept. */
export const messageSchema = z.looseObject({
  item_hash: z.string(),
  type: z.string(),
  chain: z.string(),
  sender: z.string(),
  signature: z.string().nullish(),
  item_type: z.string(),
  item_content: z.string().nullish(),
  content: z.record(z.string(), z.unknown()).nullish(),
  time: z.union([z.number(), z.string()]),
  channel: z.string().nullish(),
  size: z.number().nullish(),
  confirmed: z.boolean().nullish(),
  confirmations: z
    .array(z.looseObject({ chain: z.string(), height: z.number(), hash: z.string() }))
    .nullish(),
})

export type NetworkMessage = z.infer<typeof messageSchema>

export const statusSchema = z.enum(messageStatuses)
