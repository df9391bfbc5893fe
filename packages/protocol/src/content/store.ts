import { z } from 'zod'
import { classifyHash } from '../hash/item-hash.ts'
import { storePaymentSchema } from './payment.ts'
import { baseFields, indexedText, itemHashText, laxNumber, optional } from './scalars.ts'

/** Content of a STORE (protocol 01 §6.3). `item_hash` is the hash of the file; unknown keys are dropped here. */
export const storeSchema = z
  .object({
    ...baseFields,
    item_type: z.enum(['storage', 'ipfs']),
    item_hash: itemHashText,
    size: optional(laxNumber),
    content_type: optional(z.string().max(1024)),
    ref: optional(indexedText),
    metadata: optional(z.record(z.string(), z.unknown())),
    payment: optional(storePaymentSchema),
  })
  .refine((store) => classifyHash(store.item_hash) === store.item_type, {
    path: ['item_type'],
    error: 'not the type of item_hash',
  })
export type StoreContent = z.output<typeof storeSchema>
