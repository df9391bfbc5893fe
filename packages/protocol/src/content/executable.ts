import { z } from 'zod'
import { paymentSchema } from './payment.ts'
import { requirementsSchema } from './requirements.ts'
import { resourcesSchema } from './resources.ts'
import { baseFields, freeObject, laxBoolean, optional } from './scalars.ts'
import { volumeSchema } from './volumes.ts'

const maxEntries = 256

/** History holds `[]` for "no metadata" (protocol 01 §13). */
export const metadataSchema = optional(
  z.preprocess((value) => (Array.isArray(value) && value.length === 0 ? {} : value), freeObject(maxEntries)),
)

const variablesSchema = z
  .record(z.string().max(128), z.string().max(4096))
  .refine((variables) => Object.keys(variables).length <= maxEntries, {
    error: `more than ${maxEntries} variables`,
  })

/** What PROGRAM and INSTANCE have in common (protocol 01 §6.5). */
export const executableFields = {
  ...baseFields,
  allow_amend: laxBoolean,
  metadata: metadataSchema,
  authorized_keys: optional(z.array(z.string().max(8192)).max(256)),
  variables: optional(variablesSchema),
  resources: resourcesSchema,
  payment: optional(paymentSchema),
  requirements: optional(requirementsSchema),
  volumes: z.array(volumeSchema).max(256).default([]),
  replaces: optional(z.string().max(128)),
}
