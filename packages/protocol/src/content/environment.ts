import { z } from 'zod'
import { laxBoolean, optional } from './scalars.ts'
import { trustedExecutionSchema } from './trusted-execution.ts'

/**
 * Environment of an INSTANCE, and of a PROGRAM that names a hypervisor (protocol 01 §6.8).
 * A null hypervisor means qemu.
 */
export const environmentSchema = z
  .object({
    reproducible: laxBoolean.default(false),
    internet: laxBoolean.default(false),
    aleph_api: laxBoolean.default(false),
    shared_cache: laxBoolean.default(false),
    hypervisor: optional(z.enum(['qemu', 'firecracker'])),
    trusted_execution: optional(trustedExecutionSchema),
  })
  .refine((environment) => environment.trusted_execution === null || environment.hypervisor === 'qemu', {
    path: ['hypervisor'],
    error: 'must be "qemu" when trusted_execution is set',
  })
export type Environment = z.output<typeof environmentSchema>
