import { type CapacityReport, capacityReportSchema } from '@aleph-ts/protocol'
import { z } from 'zod'

const bytesPerMib = 2 ** 20
/** What the network's compute nodes keep for themselves and for programs, MiB (protocol 06 §7.6). */
const reservedMib = { host: 2_048, programs: 8_192 }
/** Virtual processors promised for each real one. */
const vcpusPerCore = 4

const usageSchema = z.looseObject({
  cpu: z.looseObject({ count: z.number() }),
  mem: z.looseObject({ total_kB: z.number() }),
  disk: z.looseObject({ total_kB: z.number() }),
  properties: z.looseObject({
    cpu: z.looseObject({
      architecture: z.string(),
      vendor: z.string().default(''),
      features: z.array(z.string()).default([]),
    }),
    tee: z.looseObject({}).optional(),
  }),
  gpu: z
    .looseObject({
      devices: z.array(z.looseObject({ device_id: z.string(), device_name: z.string().default('') })),
    })
    .default({ devices: [] }),
})

const configSchema = z.looseObject({
  version: z.string().default(''),
  networking: z.looseObject({ IPV6_ADDRESS_POOL: z.string().nullish() }).optional(),
  payment: z.looseObject({ PAYMENT_RECEIVER_ADDRESS: z.string().nullish() }).optional(),
  computing: z
    .looseObject({
      ENABLE_QEMU_SUPPORT: z.boolean().default(true),
      INSTANCE_DEFAULT_HYPERVISOR: z.string().default('qemu'),
      ENABLE_CONFIDENTIAL_COMPUTING: z.boolean().default(false),
    })
    .optional(),
  api: z.looseObject({ allocations: z.int() }).default({ allocations: 1 }),
  /** Only nodes that know what they can carry say so. */
  capacity: z.unknown().optional(),
})

/**
 * The capacity report of a compute node, from what it answers on `/status/config` and `/about/usage/system`
 * (protocol 06 §7.6).
 *
 * @throws {ZodError} when these are not the answers of a compute node
 */
export function computeNodeReport(nodeHash: string, config: unknown, usage: unknown): CapacityReport {
  const { version, networking, payment, computing, api, capacity } = configSchema.parse(config)
  const { cpu, mem, disk, properties, gpu } = usageSchema.parse(usage)
  const memoryMib = Math.floor((mem.total_kB * 1000) / bytesPerMib)
  const cards = Map.groupBy(gpu.devices, (device) => device.device_id)
  return capacityReportSchema.parse({
    node_hash: nodeHash,
    version,
    api,
    arch: properties.cpu.architecture,
    vendor: properties.cpu.vendor,
    features: properties.cpu.features,
    hypervisors: hypervisorsOf(computing),
    tee: teeOf(computing, properties),
    gpus: [...cards].map(([device_id, devices]) => ({
      device_id,
      model: devices[0]!.device_name,
      count: devices.length,
    })),
    ipv6_pool: networking?.IPV6_ADDRESS_POOL ?? undefined,
    payment_receiver: payment?.PAYMENT_RECEIVER_ADDRESS ?? undefined,
    caps: capacity ?? {
      vcpus: Math.floor(cpu.count) * vcpusPerCore,
      instance_memory_mib: Math.max(0, memoryMib - reservedMib.host - reservedMib.programs),
      program_memory_mib: Math.min(reservedMib.programs, memoryMib),
      disk_mib: Math.floor((disk.total_kB * 1000) / bytesPerMib),
    },
  })
}

function hypervisorsOf(computing: z.output<typeof configSchema>['computing']): string[] {
  const hypervisors = computing?.ENABLE_QEMU_SUPPORT === false ? [] : ['qemu']
  return computing?.INSTANCE_DEFAULT_HYPERVISOR === 'firecracker'
    ? [...hypervisors, 'firecracker']
    : hypervisors
}

function teeOf(
  computing: z.output<typeof configSchema>['computing'],
  { cpu, tee }: z.output<typeof usageSchema>['properties'],
) {
  if (!computing?.ENABLE_CONFIDENTIAL_COMPUTING) return undefined
  return { sev: cpu.features.includes('sev'), ...tee }
}
