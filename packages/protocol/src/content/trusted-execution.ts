import { z } from 'zod'
import { itemHashText, laxInteger, optional } from './scalars.ts'

const registerHex = z.string().regex(/^[0-9a-f]{96}$/, { error: 'expected 96 lower-case hex digits' })
const vcpuType = optional(z.string().max(64))

/** An earlier form gave SEV-SNP's one register as `digest` (protocol 01 §6.8). */
function withRegisters(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('digest' in value) || 'registers' in value)
    return value
  const { digest, ...rest } = value
  return { ...rest, registers: { launch: digest } }
}

/** What a trustworthy guest measures to, per platform (protocol 01 §6.8). */
const measurementShape = z.discriminatedUnion('platform', [
  z.strictObject({
    platform: z.literal('sev_snp'),
    registers: z.strictObject({ launch: registerHex }),
    vcpu_type: vcpuType,
  }),
  z.strictObject({
    platform: z.literal('tdx'),
    registers: z.strictObject({
      mrtd: registerHex,
      rtmr1: registerHex,
      rtmr2: registerHex,
      mrconfigid: registerHex,
    }),
    vcpu_type: vcpuType,
  }),
])

export const measurementSchema = z.preprocess(withRegisters, measurementShape)

/** An NVIDIA GPU in confidential mode (protocol 01 §6.13). */
export const confidentialGpuSchema = z.strictObject({
  vendor: z.literal('nvidia'),
  arch: z.enum(['hopper', 'blackwell']),
  count: z.int().min(1).max(8),
  models: optional(
    z
      .array(
        z
          .string()
          .regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/, { error: 'expected "vendor:device" in lower-case hex' }),
      )
      .min(1)
      .max(16)
      .refine((models) => new Set(models).size === models.length, { error: 'models must be unique' }),
  ),
  mode: z.literal('cc'),
})

/**
 * A SEV-SNP guest policy: 64 bits, bit 17 always set. JSON numbers beyond 2^53 lose bits in JavaScript, so they
 * are refused rather than read wrongly.
 */
export const snpPolicySchema = z
  .int()
  .nonnegative()
  .refine((policy) => (BigInt(policy) >> 17n) % 2n === 1n, {
    error: 'bit 17 must be set (usual value 196608)',
  })

/** How a VM is kept from its host (protocol 01 §6.8): legacy SEV without `mode`, measured boot with it. */
export const trustedExecutionSchema = z
  .strictObject({
    firmware: optional(itemHashText),
    policy: laxInteger(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER).default(1),
    mode: optional(z.enum(['sev', 'sev_snp', 'tdx'])),
    runtime: optional(itemHashText),
    measurements: optional(z.array(measurementSchema).max(16)),
    attestation_port: optional(laxInteger(1, 65535)),
    gpu: optional(confidentialGpuSchema),
  })
  .superRefine((tee, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message })
    if (tee.mode === null || tee.mode === 'sev') {
      for (const field of ['runtime', 'measurements', 'attestation_port', 'gpu'] as const) {
        if (tee[field] !== null) refuse(field, 'only for the measured modes sev_snp and tdx')
      }
      return
    }
    if (tee.firmware !== null) refuse('firmware', `not allowed in mode ${tee.mode}`)
    if (tee.runtime === null) refuse('runtime', `required in mode ${tee.mode}`)
    if (!tee.measurements?.length) refuse('measurements', `at least one required in mode ${tee.mode}`)
    if (tee.measurements?.some((measurement) => measurement.platform !== tee.mode)) {
      refuse('measurements', 'every platform must equal mode')
    }
    if (tee.gpu !== null && tee.mode !== 'sev_snp') refuse('gpu', 'only in mode sev_snp')
    if (tee.mode === 'tdx' && tee.policy !== 1) refuse('policy', 'must stay 1 in mode tdx')
    if (tee.mode === 'sev_snp' && !snpPolicySchema.safeParse(tee.policy).success) {
      refuse('policy', 'must be an unsigned 64-bit integer with bit 17 set')
    }
  })
export type TrustedExecution = z.output<typeof trustedExecutionSchema>
