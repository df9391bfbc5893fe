import { z } from 'zod'
import { messageLimits } from '../message/limits.ts'
import { metadataSchema } from './executable.ts'
import { creditPaymentSchema } from './payment.ts'
import { requirementsSchema } from './requirements.ts'
import { strictResourcesSchema } from './resources.ts'
import { hexHash, indexedText, itemHashText, optional } from './scalars.ts'
import { confidentialGpuSchema, measurementSchema, snpPolicySchema } from './trusted-execution.ts'

const comment = z.string().max(1024).default('')

/** A file and the dm-verity tree that proves every block of it. */
const verifiedFile = { ref: itemHashText, hash_tree: itemHashText, roothash: hexHash }

const nothing = z
  .unknown()
  .refine((value) => value == null || (typeof value === 'object' && Object.keys(value).length === 0), {
    error: 'must be absent or empty: a verifiable program never changes',
  })
  .optional()

/** Content of a V-PROGRAM (protocol 01 §6.13): strict JSON types throughout, paid in credits, immutable. */
export const vProgramSchema = z
  .strictObject({
    address: indexedText,
    time: z.number().min(0).max(messageLimits.contentTimeSeconds),
    allow_amend: z.literal(false),
    metadata: metadataSchema,
    authorized_keys: nothing,
    variables: nothing,
    replaces: z.null().optional(),
    environment: z.strictObject({ internet: z.boolean().default(false) }),
    resources: strictResourcesSchema,
    payment: creditPaymentSchema,
    requirements: optional(
      requirementsSchema.refine((requirements) => !requirements.gpu?.length, {
        path: ['gpu'],
        error: 'must be empty, use the top-level gpu',
      }),
    ),
    runtime: z.strictObject({ ref: itemHashText, comment }),
    workload: z.strictObject(verifiedFile),
    verification: z.strictObject({
      backend: z.literal('sev_snp'),
      policy: snpPolicySchema.default(196_608),
      measurements: z.array(measurementSchema).min(1).max(16),
    }),
    volumes: z
      .array(z.strictObject({ ...verifiedFile, comment }))
      .max(8)
      .default([]),
    gpu: optional(confidentialGpuSchema),
  })
  .refine(({ verification }) => verification.measurements.every((m) => m.platform === verification.backend), {
    path: ['verification', 'measurements'],
    error: 'every platform must equal backend',
  })
export type VProgramContent = z.output<typeof vProgramSchema>
