import { z } from 'zod'
import { integerField, textField } from './query-fields.ts'
import { defineRoute } from './route.ts'

const tag = 'Placement'

/** Of a VM: what is wanted, and whether it was seen (protocol 06 §7.2). */
export const vmStatuses = [
  'scheduled',
  'dispatched',
  'duplicated',
  'misplaced',
  'migrating',
  'missing',
  'orphaned',
  'unscheduled',
  'unschedulable',
  'unknown',
] as const
export const placementActions = ['scheduled', 'unscheduled', 'migrated_from', 'migrated_to'] as const

const text = z.string()
const nullable = text.nullable()
const number = z.number().nullable()

const schedulerVm = z.object({
  vm_hash: text,
  vm_type: z.enum(['micro_vm', 'persistent_program', 'instance', 'v_program']),
  allocated_node: nullable,
  allocated_at: nullable,
  observed_nodes: z.array(text),
  last_observed_at: nullable,
  status: z.enum(vmStatuses),
  scheduling_status: nullable,
  requirements_vcpus: number,
  requirements_memory_mb: number,
  requirements_disk_mb: number,
  payment_type: nullable,
  payment_status: nullable,
  requires_confidential: z.boolean(),
  gpu_requirements: z.array(z.looseObject({ device_id: text })),
  cpu_architecture: nullable,
  cpu_vendor: nullable,
  cpu_features: z.array(text),
  migration_target: nullable,
  migration_started_at: nullable,
  owner: nullable,
  sender: text,
  updated_at: text,
})
export type SchedulerVm = z.output<typeof schedulerVm>

const schedulerNode = z.object({
  node_hash: text,
  name: text,
  owner: text,
  address: text,
  status: z.enum(['Healthy', 'Unreachable', 'Unknown']),
  staked: z.boolean(),
  vcpus_total: number,
  memory_total_mb: number,
  disk_total_mb: number,
  vcpus_available: number,
  memory_available_mb: number,
  disk_available_mb: number,
  supports_ipv6: z.boolean().nullable(),
  confidential_computing_enabled: z.boolean(),
  cpu_architecture: nullable,
  cpu_vendor: nullable,
  cpu_features: z.array(text),
  gpus: z.object({ used: z.array(z.looseObject({})), available: z.array(z.looseObject({})) }),
  payment_receiver: nullable,
  vm_count: z.number(),
  discovered_at: nullable,
  updated_at: text,
})
export type SchedulerNode = z.output<typeof schedulerNode>

const historyEntry = z.object({
  id: z.number(),
  vm_hash: text,
  node_hash: text,
  action: z.enum(placementActions),
  reason: nullable,
  timestamp: text,
})
export type PlacementHistoryEntry = z.output<typeof historyEntry>

const pageFields = { page: integerField(1).default(1), pageSize: integerField(1, 200).default(50) }

function pageOf<S extends z.ZodType>(item: S) {
  return z.object({
    items: z.array(item),
    pagination: z.object({
      page: z.number(),
      page_size: z.number(),
      total_items: z.number(),
      total_pages: z.number(),
    }),
  })
}

const flag = z
  .enum(['true', 'false'])
  .transform((word) => word === 'true')
  .optional()

/** The scheduler's API as its clients know it, below `/scheduler` on every core node (protocol 06 §7). */
export const schedulerApiRoutes = {
  simulatePlacement: defineRoute({
    method: 'GET',
    path: '/api/v0/simulate',
    aliases: ['/scheduler/api/v0/simulate'],
    tag,
    summary: 'Whether some compute node has room for an instance of this size',
    query: z.object({
      vcpus: integerField(0, 1024).default(0),
      memory: integerField(0).default(0).meta({ description: 'MiB' }),
      disk: integerField(0).default(0).meta({ description: 'MiB' }),
    }),
    answer: z.object({ schedulable: z.boolean(), reasons: z.array(text) }),
    statuses: { 503: 'There is none; `reasons` say what compute nodes lack.' },
    example: { schedulable: true, reasons: [] },
  }),
  getSchedulerStats: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/stats',
    tag,
    summary: 'How many VMs and nodes there are, and how full they are',
    answer: z.object({
      total_vms: z.number(),
      total_nodes: z.number(),
      healthy_nodes: z.number(),
      total_vcpus_allocated: z.number(),
      total_vcpus_capacity: z.number(),
    }),
  }),
  listSchedulerVms: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/vms',
    // For clients that take a scheduler to be at the root of its host.
    aliases: ['/api/v1/vms'],
    tag,
    summary: 'VMs with what is wanted for them and where they are',
    snakeCaseQuery: true,
    query: z.object({
      ...pageFields,
      status: textField.optional(),
      schedulingStatus: textField.optional(),
      node: textField.optional(),
      owner: textField.optional(),
      owners: textField.optional().meta({ description: 'Several owners, with commas between them.' }),
      sender: textField.optional(),
      vmHash: textField.optional().meta({ description: 'How the hash begins.' }),
      cpuArchitecture: textField.optional(),
      cpuVendor: textField.optional(),
      hasGpu: flag,
      requiresConfidential: flag,
    }),
    answer: pageOf(schedulerVm),
  }),
  getSchedulerVm: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/vms/{hash}',
    // For clients that take a scheduler to be at the root of its host.
    aliases: ['/api/v1/vms/{hash}'],
    tag,
    summary: 'One VM: what is wanted for it and where it is',
    answer: schedulerVm,
  }),
  explainPlacement: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/vms/{hash}/explanation',
    tag,
    summary: 'Why a VM is where it is: for every compute node its rank, or the reason against it',
    answer: z.object({
      vm_hash: text,
      allocated_node: nullable,
      nodes: z.array(
        z.object({ node_hash: text, core_node: nullable, rank: z.number().nullable(), reason: nullable }),
      ),
    }),
  }),
  listIgnoredAllocations: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/allocations/ignored',
    tag,
    summary: 'What core nodes claimed without effect, and why: compute nodes of others, VMs that others have',
    snakeCaseQuery: true,
    query: z.object(pageFields),
    answer: pageOf(z.object({ vm_hash: text, owner: text, node_hash: nullable, reason: text })),
  }),
  listVmHistory: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/vms/{hash}/history',
    tag,
    summary: 'What this core node saw happen to the place of a VM, newest first',
    snakeCaseQuery: true,
    query: z.object(pageFields),
    answer: pageOf(historyEntry),
  }),
  listSchedulerNodes: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/nodes',
    tag,
    summary: 'Compute nodes with what they can carry and what is left of it',
    snakeCaseQuery: true,
    query: z.object({
      ...pageFields,
      hash: textField.optional().meta({ description: 'How the hash begins or ends.' }),
      status: textField.optional(),
      supportsIpv6: flag,
      confidentialComputingEnabled: flag,
    }),
    answer: pageOf(schedulerNode),
  }),
  getSchedulerNode: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/nodes/{hash}',
    tag,
    summary: 'One compute node',
    answer: schedulerNode,
  }),
  listNodeHistory: defineRoute({
    method: 'GET',
    path: '/scheduler/api/v1/nodes/{hash}/history',
    tag,
    summary: 'VMs that came to a compute node and left it, newest first',
    snakeCaseQuery: true,
    query: z.object(pageFields),
    answer: pageOf(historyEntry),
  }),
}
