import { z } from 'zod'
import { computeNodeSchema } from '../aggregates/corechannel.ts'
import { defineRoute } from './route.ts'

const amount = z.object({ total_kB: z.number(), available_kB: z.number() })

/** As the clients of the list name a device. */
const gpu = z.object({
  vendor: z.string(),
  model: z.string(),
  device_name: z.string(),
  device_class: z.string(),
  pci_host: z.string(),
  device_id: z.string(),
  compatible: z.boolean(),
})

const systemUsage = z.object({
  cpu: z.object({
    count: z.number(),
    load_average: z.object({ load1: z.number(), load5: z.number(), load15: z.number() }),
    core_frequencies: z.object({ min: z.number(), max: z.number() }),
  }),
  mem: amount,
  disk: amount,
  period: z.object({ start_timestamp: z.string(), duration_seconds: z.number() }),
  properties: z.object({
    cpu: z.object({ architecture: z.string(), vendor: z.string(), features: z.array(z.string()) }),
  }),
  gpu: z.object({ devices: z.array(gpu), available_devices: z.array(gpu) }),
  active: z.boolean(),
})

const listedNode = computeNodeSchema.extend({
  version: z.string().nullable(),
  payment_receiver_address: z.string().nullable(),
  gpu_support: z.boolean().nullable(),
  confidential_support: z.boolean().nullable(),
  qemu_support: z.boolean().nullable(),
  system_usage: systemUsage.nullable(),
  compatible_gpus: z.array(gpu),
  compatible_available_gpus: z.array(gpu),
  ipv6_check: z.object({ host: z.boolean(), vm: z.boolean() }).nullable(),
  /** Whether anything is known of it, and when its core node heard of it last, where that is this one. */
  config_from_crn: z.boolean(),
  debug_config_from_crn_at: z.string().nullable(),
  debug_config_from_crn_error: z.string().nullable(),
  debug_usage_from_crn_at: z.string().nullable(),
  usage_from_crn_error: z.string().nullable(),
})
export type ListedComputeNode = z.output<typeof listedNode>

export const computeListApiRoutes = {
  listCrns: defineRoute({
    method: 'GET',
    path: '/crns.json',
    tag: 'Placement',
    summary: 'Compute nodes with what they offer, as the list of compute nodes that clients of old read',
    description:
      'Made of the registry, of the capacity reports of the nodes, and of what is assigned to them. Nobody is probed ' +
      'for it: the load is the processors that are assigned, and frequencies are not known (0). A node without a report ' +
      'has no `system_usage`.',
    snakeCaseQuery: true,
    query: z.object({
      filterInactive: z
        .enum(['true', 'false'])
        .transform((word) => word === 'true')
        .default(false)
        .meta({ description: 'Without nodes that are marked as inactive.' }),
    }),
    answer: z.object({ last_refresh: z.string(), crns: z.array(listedNode) }),
  }),
}
