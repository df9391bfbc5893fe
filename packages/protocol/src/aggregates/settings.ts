import { z } from 'zod'

const compatibleGpuSchema = z.looseObject({
  name: z.string(),
  model: z.string(),
  vendor: z.string(),
  /** `vendor:device` in hex, as lspci prints it. */
  device_id: z.string(),
  model_id: z.string().nullish(),
  device_class: z.string().nullish(),
})

/** Content of the `settings` aggregate (protocol 06 §9.1). Unknown keys are kept. */
export const settingsSchema = z.looseObject({
  compatible_gpus: z.array(compatibleGpuSchema).default([]),
  community_wallet_address: z.string().default(''),
  /** Epoch seconds from which streams pay the community wallet its share. */
  community_wallet_timestamp: z.number().default(0),
  last_crn_version: z.string().default(''),
  authorized_allocation_signers: z.array(z.string()).default([]),
  /** Hashes of compute nodes that get no VMs. */
  blacklisted_nodes: z.array(z.string()).optional(),
})
export type SettingsAggregate = z.output<typeof settingsSchema>
