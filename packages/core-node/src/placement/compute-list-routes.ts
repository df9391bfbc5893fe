import { apiRoutes, type CapacityReport, type ComputeNode, type ListedComputeNode } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { serve } from '../api/serve.ts'
import type { Placement } from './placement.ts'
import { schedulerNode } from './scheduler-views.ts'

type Gpu = ListedComputeNode['compatible_gpus'][number]

/** The list of compute nodes that clients choose from (protocol 06 §7.8), made of what this node knows anyway. */
export function computeListRoutes(placement: Placement): (server: FastifyInstance) => Promise<void> {
  return async (server) => {
    serve(server, apiRoutes.listCrns, ({ query }) => {
      const nodes = placement.corechannel?.resource_nodes ?? []
      const wanted = nodes.filter((node) => !query.filterInactive || node.inactive_since === null)
      return { last_refresh: new Date().toISOString(), crns: wanted.map((node) => listed(node, placement)) }
    })
  }
}

function listed(node: ComputeNode, placement: Placement): ListedComputeNode {
  const report = placement.current.reports.get(node.hash)
  const inUse = placement.current.ledger.cardsInUse(node.hash)
  const gpus = report?.gpus.flatMap(devices) ?? []
  const free = (report?.gpus ?? []).flatMap((card) =>
    devices({ ...card, count: Math.max(0, card.count - (inUse.get(card.device_id) ?? 0)) }),
  )
  const observed = placement.watch.seen(node.hash)
  const heardAt = observed ? new Date(observed.at).toISOString() : null
  const error = observed && observed.secondsAway > 0 ? 'it does not answer' : null
  return {
    ...node,
    version: report?.version ?? null,
    payment_receiver_address: report?.payment_receiver ?? (node.stream_reward || null),
    gpu_support: report ? gpus.length > 0 : null,
    confidential_support: report ? report.tee !== undefined : null,
    qemu_support: report ? report.hypervisors.includes('qemu') : null,
    system_usage: report ? systemUsage(node, report, { gpus, free }, placement) : null,
    compatible_gpus: gpus,
    compatible_available_gpus: free,
    ipv6_check: report?.ipv6_pool === undefined ? null : { host: true, vm: true },
    config_from_crn: report !== undefined,
    debug_config_from_crn_at: heardAt,
    debug_config_from_crn_error: error,
    debug_usage_from_crn_at: heardAt,
    usage_from_crn_error: error,
  }
}

function systemUsage(
  node: ComputeNode,
  report: CapacityReport,
  { gpus, free }: { gpus: Gpu[]; free: Gpu[] },
  placement: Placement,
): NonNullable<ListedComputeNode['system_usage']> {
  const view = schedulerNode(node, placement)
  const load = (view.vcpus_total ?? 0) - (view.vcpus_available ?? 0)
  return {
    cpu: {
      count: report.caps.vcpus,
      load_average: { load1: load, load5: load, load15: load },
      core_frequencies: { min: 0, max: 0 },
    },
    mem: kilobytes(view.memory_total_mb, view.memory_available_mb),
    disk: kilobytes(view.disk_total_mb, view.disk_available_mb),
    period: { start_timestamp: view.updated_at, duration_seconds: 0 },
    properties: { cpu: { architecture: report.arch, vendor: report.vendor, features: report.features } },
    gpu: { devices: gpus, available_devices: free },
    active: view.status === 'Healthy',
  }
}

/** Thousands of bytes, as compute nodes tell (protocol 06 §7.6). */
function kilobytes(totalMib: number | null, availableMib: number | null) {
  const kilobytesOf = (mib: number | null) => Math.round(((mib ?? 0) * 1_048_576) / 1000)
  return { total_kB: kilobytesOf(totalMib), available_kB: kilobytesOf(availableMib) }
}

function devices({ device_id, model, count }: CapacityReport['gpus'][number]): Gpu[] {
  const device = {
    vendor: device_id.startsWith('10de:') ? 'NVIDIA' : '',
    model,
    device_name: model,
    device_class: '0300',
    pci_host: '',
    device_id,
    compatible: true,
  }
  return Array.from({ length: count }, () => device)
}
