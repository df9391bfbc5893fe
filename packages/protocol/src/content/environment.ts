import { z } from 'zod'
import { laxBoolean, optional } from './scalars.ts'
import { trustedExecutionSchema } from './trusted-execution.ts'

const shape = z.object({
  reproducible: laxBoolean.default(false),
  internet: laxBoolean.default(false),
  aleph_api: laxBoolean.default(false),
  shared_cache: laxBoolean.default(false),
  hypervisor: optional(z.enum(['qemu', 'firecracker'])),
  trusted_execution: optional(trustedExecutionSchema),
})

/**
 * Environment of an INSTANCE, and of a PROGRAM that names a hypervisor (protocol 01 §6.8).
 * A null hypervisor means qemu.
 */
export const environmentSchema = z
  .unknown()
  .refine(namesItsHypervisor, {
    path: ['hypervisor'],
    error: 'must be "qemu" when trusted_execution is set',
  })
  .pipe(shape)
export type Environment = z.output<typeof environmentSchema>

/** Looked at before defaults are filled in: the network lets an empty `trusted_execution` pass. */
function namesItsHypervisor(environment: unknown): boolean {
  const { trusted_execution: confidential, hypervisor } = (environment ?? {}) as Record<string, unknown>
  if (typeof confidential !== 'object' || confidential === null) return true
  return Object.keys(confidential).length === 0 || hypervisor === 'qemu'
}
