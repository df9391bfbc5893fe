import { z } from 'zod'

/** What compute nodes, or the core nodes they are linked to, publish about what a node can carry. */
export const capacityReportPostType = 'crn-report'
export const schedulerChannel = 'aleph-scheduler'

const text = z.string().max(256)
const mib = z.int().nonnegative()

/**
 * Content of a `crn-report` post (protocol 06 §8.1). The caps are what all workloads together may use, not what is free:
 * what is free follows from the assignments, so a report is needed only when the node itself changes.
 */
export const capacityReportSchema = z.looseObject({
  node_hash: z.string().min(1).max(128),
  version: text.default(''),
  api: z.looseObject({ allocations: z.int().default(1) }).default({ allocations: 1 }),
  /** As the kernel names it: `x86_64`, `aarch64`. */
  arch: text,
  /** As the processor names it: `AuthenticAMD`, `GenuineIntel`. */
  vendor: text.default(''),
  features: z.array(text).max(1024).default([]),
  hypervisors: z
    .array(z.enum(['qemu', 'firecracker']))
    .max(2)
    .default(['qemu']),
  /** Ways to keep a VM from its host; absent when there is none. */
  tee: z
    .looseObject({
      sev: z.boolean().default(false),
      sev_snp: z.looseObject({ supported_vcpu_types: z.array(text).max(64).default([]) }).optional(),
      tdx: z.looseObject({}).optional(),
    })
    .optional(),
  gpus: z
    .array(z.looseObject({ device_id: text, model: text.default(''), count: z.int().min(1).max(64) }))
    .max(64)
    .default([]),
  ipv6_pool: text.optional(),
  payment_receiver: text.optional(),
  caps: z.looseObject({
    /** Virtual processors. */
    vcpus: z.int().nonnegative(),
    instance_memory_mib: mib,
    program_memory_mib: mib,
    disk_mib: mib,
  }),
})

export type CapacityReport = z.output<typeof capacityReportSchema>
